// The targets followed while their files change: a watch on the folders, and a look at the files with the calls that come.
import { type FSWatcher, watch as watchFolder } from 'node:fs';
import { dirname } from 'node:path';
import type { AppError } from '../kit/errors.ts';
import { signFile } from '../kit/sign-file.ts';
import { type KubeTarget, readSnapshot, type Snapshot, type TargetOptions } from './kube-snapshot.ts';

/** The targets as they are now. The same object stands for a target as long as nothing of it changes. */
export interface TargetSource {
  /** False: nothing is named and nothing is there, so that Kubernetes is simply not configured. */
  readonly isConfigured: boolean;
  readonly targets: readonly KubeTarget[];
  /** Name of the current context. */
  readonly current: string | undefined;
  /** Files that could not be read, or not understood. With no target left, these say why. */
  readonly problems: readonly AppError[];
  /** Looks for changed files, at most every few seconds; cheap enough for every call. */
  check(): Promise<void>;
  /** Reads everything again. */
  reload(): Promise<void>;
  /** Calls back after every change of `targets`; returns the way to stop that. */
  watch(onChange: () => void): () => void;
  close(): void;
}

const CHECK_EVERY_MS = 3000;
const SETTLE_MS = 50;

/** Never throws and never waits for a cluster: what is wrong stands in `problems`. */
export const loadTargets = async (options: TargetOptions): Promise<TargetSource> => {
  const { now, logger } = options;
  const listeners = new Set<() => void>();
  let snapshot = await readSnapshot(options, undefined);
  let checkedAt = now();
  let running: Promise<void> = Promise.resolve();

  const refresh = async () => {
    checkedAt = now();
    const before = snapshot;
    snapshot = await readSnapshot(options, before);
    if (listeners.size > 0) folders.follow(foldersOf(snapshot));
    if (isSame(before, snapshot)) return;
    logger.info({ targets: snapshot.targets.length, current: snapshot.current }, 'the kubeconfig has changed');
    for (const listener of [...listeners]) listener();
  };
  const refreshIfTouched = async () => {
    checkedAt = now();
    const signatures = await Promise.all(snapshot.files.map(({ path }) => signFile(path)));
    if (snapshot.files.some(({ signature }, index) => signature !== signatures[index])) await refresh();
  };
  // One after the other: two reads at once could end in the wrong order.
  const enqueue = (work: () => Promise<void>) => {
    running = running.then(work);
    return running;
  };
  const folders = createFolderWatch(() => void enqueue(refreshIfTouched));

  return {
    get isConfigured() {
      return snapshot.isConfigured;
    },
    get targets() {
      return snapshot.targets;
    },
    get current() {
      return snapshot.current;
    },
    get problems() {
      return snapshot.problems;
    },
    check: async () => {
      if (now() - checkedAt >= CHECK_EVERY_MS) await enqueue(refreshIfTouched);
    },
    reload: () => enqueue(refresh),
    watch: (onChange) => {
      listeners.add(onChange);
      folders.follow(foldersOf(snapshot));
      return () => {
        listeners.delete(onChange);
        if (listeners.size === 0) folders.stop();
      };
    },
    close: () => {
      listeners.clear();
      folders.stop();
    },
  };
};

/** Unchanged targets keep their objects, so identity is enough. */
const isSame = (a: Snapshot, b: Snapshot): boolean =>
  a.current === b.current && a.targets.length === b.targets.length && a.targets.every((target, index) => target === b.targets[index]);

const foldersOf = ({ files }: Snapshot): ReadonlySet<string> => new Set(files.map(({ path }) => dirname(path)));

/** Folders, not files: editors, kubectl and mounted volumes replace files instead of writing into them. */
const createFolderWatch = (onTouch: () => void) => {
  const watchers = new Map<string, FSWatcher>();
  let settling: NodeJS.Timeout | undefined;
  const settle = () => {
    clearTimeout(settling);
    settling = setTimeout(onTouch, SETTLE_MS);
    settling.unref();
  };
  const start = (folder: string) => {
    try {
      const watcher = watchFolder(folder, { persistent: false }, settle);
      watchers.set(folder, watcher);
      watcher.on('error', () => {
        watcher.close();
        watchers.delete(folder);
      });
    } catch {
      // A folder that does not exist yet is found by `check`.
    }
  };
  return {
    follow: (wanted: ReadonlySet<string>) => {
      for (const folder of wanted) if (!watchers.has(folder)) start(folder);
    },
    stop: () => {
      clearTimeout(settling);
      for (const watcher of watchers.values()) watcher.close();
      watchers.clear();
    },
  };
};
