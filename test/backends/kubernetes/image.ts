/** Container images made from files of this machine, without a registry. */
import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { arch } from 'node:os';
import { dirname, join } from 'node:path';
import { mustRun } from '../command.ts';
import { findProgram } from '../debian.ts';

export interface ImageTag {
  /** For example `docker.io/local/busybox:1`. */
  readonly name: string;
  readonly command: readonly string[];
}

export interface ImageOptions {
  readonly tags: readonly ImageTag[];
  /** More files: path inside the image -> file on this machine. A program must be statically linked. */
  readonly files?: Readonly<Record<string, string>>;
}

const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };

/** Writes an archive (as `docker save` makes them) with one layer: static busybox under all its names, and the given files. */
export async function createImage(archive: string, { tags, files = {} }: ImageOptions): Promise<void> {
  const work = mkdtempSync(`${archive}-`);
  try {
    const [root, parts] = [join(work, 'root'), join(work, 'parts')];
    mkdirSync(parts);
    await fillRoot(root, files);
    const owner = ['--owner=0', '--group=0', '--numeric-owner', '--sort=name'];
    await mustRun('tar', [...owner, '-C', root, '-cf', join(parts, 'layer.tar'), '.']);
    const layer = digest(readFileSync(join(parts, 'layer.tar')));
    const manifest = tags.map((tag) => ({ Config: writeConfig(parts, tag, layer), RepoTags: [tag.name], Layers: ['layer.tar'] }));
    writeFileSync(join(parts, 'manifest.json'), JSON.stringify(manifest));
    await mustRun('tar', [
      ...owner,
      '-C',
      parts,
      '-cf',
      join(work, 'image.tar'),
      'layer.tar',
      'manifest.json',
      ...manifest.map((entry) => entry.Config),
    ]);
    renameSync(join(work, 'image.tar'), archive);
  } finally {
    rmSync(work, { recursive: true });
  }
}

/** Gives an archive's images to a container runtime, for use with `imagePullPolicy: Never`. */
export async function loadImage(socket: string, archive: string): Promise<void> {
  await mustRun('ctr', ['--address', socket, '--namespace', 'k8s.io', 'images', 'import', archive]);
}

async function fillRoot(root: string, files: Readonly<Record<string, string>>): Promise<void> {
  const busybox = findProgram('busybox');
  if (busybox === undefined) throw new Error('busybox is missing (Debian: busybox-static)');
  mkdirSync(join(root, 'bin'), { recursive: true });
  mkdirSync(join(root, 'tmp'), { mode: 0o777 });
  copyFileSync(busybox, join(root, 'bin/busybox'));
  const names = (await mustRun(busybox, ['--list'])).split('\n').filter((name) => name !== 'busybox');
  for (const name of names) symlinkSync('busybox', join(root, 'bin', name));
  for (const [inside, source] of Object.entries(files)) {
    mkdirSync(dirname(join(root, inside)), { recursive: true });
    copyFileSync(source, join(root, inside));
  }
}

function writeConfig(folder: string, tag: ImageTag, layer: string): string {
  const config = JSON.stringify({
    architecture: ARCHITECTURES[arch()] ?? arch(),
    os: 'linux',
    config: { Cmd: tag.command, Env: ['PATH=/bin'] },
    rootfs: { type: 'layers', diff_ids: [`sha256:${layer}`] },
    history: [{ comment: tag.name }],
  });
  const name = `${digest(Buffer.from(config))}.json`;
  writeFileSync(join(folder, name), config);
  return name;
}

function digest(data: Buffer): string {
  return createHash('sha256').update(data).digest('hex');
}
