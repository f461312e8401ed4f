/** A control group of its own for each real node: two kubelets under one root would end each other's pods. */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

const ROOT = '/sys/fs/cgroup';

/** True on machines with the unified hierarchy (version 2). */
export function isUnified(): boolean {
  return existsSync(join(ROOT, 'cgroup.controllers'));
}

/** Makes the group in every hierarchy. */
export function createCgroup(name: string): void {
  if (isUnified()) {
    const controllers = readFileSync(join(ROOT, 'cgroup.controllers'), 'utf8').trim().split(' ');
    writeFileSync(join(ROOT, 'cgroup.subtree_control'), controllers.map((controller) => `+${controller}`).join(' '));
    mkdirSync(join(ROOT, name), { recursive: true });
    return;
  }
  for (const hierarchy of hierarchies()) {
    mkdirSync(join(hierarchy, name), { recursive: true });
    // A new group of the cpuset hierarchy has no processors and no memory nodes until it is given some.
    for (const file of ['cpuset.cpus', 'cpuset.mems']) {
      if (existsSync(join(hierarchy, file))) writeFileSync(join(hierarchy, name, file), readFileSync(join(hierarchy, file)));
    }
  }
}

/** Removes the group and all below it, wherever it is. Its processes have been killed, but the kernel may need a moment to let them go. */
export async function removeCgroup(name: string): Promise<void> {
  const end = performance.now() + 10_000;
  for (const folder of [ROOT, ...hierarchies()].map((hierarchy) => join(hierarchy, name))) {
    while (existsSync(folder)) {
      try {
        removeTree(folder);
      } catch (error) {
        if (performance.now() > end) throw error;
        await delay(30);
      }
    }
  }
}

function removeTree(folder: string): void {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) removeTree(join(folder, entry.name));
  }
  rmdirSync(folder);
}

function hierarchies(): string[] {
  return readdirSync(ROOT, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => join(ROOT, entry.name))
    .filter((folder) => existsSync(join(folder, 'cgroup.procs')));
}
