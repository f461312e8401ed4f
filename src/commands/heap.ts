// How much garbage V8 may leave lying. On a machine with much memory it would take 128 MiB for new objects alone and let old ones double
// several times, however little is alive; a server among others should not. Both are fixed when a process begins, so it begins once more.

export const HEAP_OPTIONS = ['--max-semi-space-size=16', '--heap-growing-percent=75'] as const;
/** Of the C library: more arenas are more memory that no thread gives back. */
const ARENAS = { MALLOC_ARENA_MAX: '2' } as const;
/** Whoever sets one of these knows better. */
const OWN_CHOICE = /semi-space|heap|old-space|optimize-for-size/;

/** Replaces this process by one that bounds its heap: same number, same words, same streams. Does nothing where it has, or where that cannot be done. */
export const boundHeap = (): void => {
  const { execve, execPath, execArgv, argv, env, platform } = process;
  if (execve === undefined || platform === 'win32') return;
  if (OWN_CHOICE.test(`${execArgv.join(' ')} ${env['NODE_OPTIONS'] ?? ''}`)) return;
  try {
    execve(execPath, [execPath, ...execArgv, ...HEAP_OPTIONS, ...argv.slice(1)], { ...ARENAS, ...env });
  } catch {
    // Not allowed, such as by Node's permissions: then with the heap as it is.
  }
};
