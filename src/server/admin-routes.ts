// Profiles on demand, for the admin listener alone: what the processor does, and what the memory holds. One at a time, bounded in time.

import { AppError } from '../kit/errors.ts';
import type { HttpExchange } from '../kit/http.ts';
import type { Handle, Route } from './mcp-routes.ts';

const DEFAULT_SECONDS = 10;
const MAX_SECONDS = 60;

const toSeconds = ({ url }: HttpExchange): number => {
  const unknown = [...url.searchParams.keys()].find((name) => name !== 'seconds');
  const seconds = Number(url.searchParams.get('seconds') ?? DEFAULT_SECONDS);
  if (unknown === undefined && seconds >= 0.1 && seconds <= MAX_SECONDS) return seconds;
  throw new AppError('INVALID_ARGUMENT', `Only seconds=0.1 to ${MAX_SECONDS} may be asked for.`, { details: { argument: 'seconds' } });
};

const download = (body: string | ReadableStream, name: string): Response =>
  new Response(body, {
    headers: { 'content-type': 'application/json', 'content-disposition': `attachment; filename="${name}"`, 'cache-control': 'no-store' },
  });

/** Rests for the time asked for, or until the asker has left. */
const rest = (ms: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    });
  });

const profileCpu: Handle = async (exchange) => {
  const seconds = toSeconds(exchange);
  const { Session } = await import('node:inspector/promises');
  const session = new Session();
  session.connect();
  try {
    await session.post('Profiler.enable');
    await session.post('Profiler.start');
    await rest(seconds * 1000, exchange.request.signal);
    const { profile } = await session.post('Profiler.stop');
    return download(JSON.stringify(profile), 'server.cpuprofile');
  } finally {
    session.disconnect();
  }
};

/** Holds everything the process knows, credentials too: a switch of its own, off unless set. */
const snapshotHeap: Handle = async () => {
  const [{ getHeapSnapshot }, { Readable }] = await Promise.all([import('node:v8'), import('node:stream')]);
  return download(Readable.toWeb(getHeapSnapshot()) as ReadableStream, 'server.heapsnapshot');
};

/** One at a time, of either kind: two would measure each other. */
const alone = (): ((handle: Handle) => Handle) => {
  let isBusy = false;
  return (handle) => async (exchange) => {
    if (isBusy)
      throw new AppError('RATE_LIMITED', 'A profile is being taken: one at a time.', { details: { retry_after: `${MAX_SECONDS}s` } });
    isBusy = true;
    try {
      return await handle(exchange);
    } finally {
      isBusy = false;
    }
  };
};

/** `/debug/cpu` and, when switched on, `/debug/heap`. Mount them on no listener that others can reach. */
export const adminRoutes = ({ heapSnapshots }: { readonly heapSnapshots: boolean }): [string, Route][] => {
  const exclusive = alone();
  return [
    ['/debug/cpu', { GET: exclusive(profileCpu) }],
    ...(heapSnapshots ? [['/debug/heap', { GET: exclusive(snapshotHeap) }] as [string, Route]] : []),
  ];
};
