// soak: clients come, call, make mistakes, leave in the middle, over every transport, for as long as SOAK_SECONDS says. What is left after
// garbage collection must not grow. Runs only when asked for by name.

import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Client, SSEClientTransport, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { z } from 'zod';
import { cleanEnvironment, RAISED_LIMITS, startHelper, startServer } from './support/program.ts';
import type { Measurement, Scene } from './support/rows.ts';
import { slope } from './support/statistics.ts';
import { toCount } from './support/words.ts';

const DEFAULT_SECONDS = 600;
/** The first part fills caches and compiles: it is not judged. */
const WARM_UP_SHARE = 0.2;
const SAMPLES = 30;
const MIB = 2 ** 20;
/** What counts as no slope, per hour of such work. */
const FLAT_MIB_PER_HOUR = 10;
const WORKERS = 6;
/** Records kept in memory fill within the warm-up: with the default of 10,000 they would grow, as they should, for all of the time. */
const FULL_SOON = { MCP_AUDIT_MAX_LOGS: '500' } as const;

const heapShape = z.object({ heapUsed: z.number(), external: z.number(), rss: z.number() });

type Act = (client: Client) => Promise<unknown>;

const call =
  (name: string, args: Readonly<Record<string, unknown>>): Act =>
  (client) =>
    client.callTool({ name, arguments: args });

const LONG = { kind: 'pod', name: 'never', namespace: 'shop', condition: 'exists', timeout: '5m' };

/** Leaves before the answer: a call that would wait for minutes, and one that is nearly done. */
const leaveEarly =
  (name: string, args: () => Readonly<Record<string, unknown>>, ms: number): Act =>
  async (client) => {
    const stop = new AbortController();
    const answer = client.callTool({ name, arguments: args() }, { signal: stop.signal }).catch(() => undefined);
    await delay(ms);
    stop.abort();
    await answer;
  };

const ACTS: readonly Act[] = [
  (client) => client.listTools(),
  (client) => call('kubernetes_list_resources', { kind: 'pods', namespace: 'shop' })(client),
  (client) => call('kubernetes_list_events', { namespace: 'shop', type: 'all' })(client),
  (client) => call('kubernetes_find_problems', { namespace: 'shop' })(client),
  call('platform_status', {}),
  (client) => client.listPrompts(),
  (client) => client.listResourceTemplates(),
  // Wrong: arguments, names, cursors, resources.
  call('kubernetes_list_resources', { kind: 'pods', limit: -1 }),
  call('kubernetes_get_resource', { kind: 'pod', name: 'absent-pod', namespace: 'shop' }),
  call('kubernetes_list_resources', { kind: 'pods', cursor: 'AAAA' }),
  call('no_such_tool', {}),
  (client) => client.readResource({ uri: 'kubernetes://nowhere' }),
  leaveEarly('kubernetes_wait_for_resource', () => LONG, 30),
  leaveEarly('kubernetes_list_resources', () => ({ kind: 'pods' }), 5),
];

const info = { name: 'soak', version: '1' };
const MODERN = { versionNegotiation: { mode: { pin: '2026-07-28' } } } as const;

/** One life of a client per entry; transports with a listener are opened anew every time. */
const toSessions = (url: string): readonly (() => Promise<Client>)[] => {
  const open = async (transport: StreamableHTTPClientTransport | SSEClientTransport, options = {}): Promise<Client> => {
    const client = new Client(info, options);
    await client.connect(transport);
    return client;
  };
  return [
    () => open(new StreamableHTTPClientTransport(new URL('/mcp', url))),
    () => open(new StreamableHTTPClientTransport(new URL('/api/aggregate/streamable-http', url)), MODERN),
    () => open(new StreamableHTTPClientTransport(new URL('/api/aggregate/http', url)), MODERN),
    () => open(new SSEClientTransport(new URL('/api/aggregate/sse', url))),
  ];
};

/** Somebody who knows no protocol: half a request, then gone. */
const disturb = async (url: string): Promise<void> => {
  const { connect } = await import('node:net');
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname).on('error', () => undefined);
  await once(socket, 'connect');
  socket.end('POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{"json');
  await once(socket.resume(), 'close');
};

interface Subject {
  readonly name: string;
  readonly pid: number;
  readonly heapFile: string;
}

/** What a process holds after garbage collection, bytes. */
const measureHeap = async ({ pid, heapFile }: Subject): Promise<z.infer<typeof heapShape>> => {
  await rm(heapFile, { force: true });
  process.kill(pid, 'SIGUSR2');
  for (;;) {
    const text = await readFile(heapFile, 'utf8').catch(() => undefined);
    if (text !== undefined) return heapShape.parse(JSON.parse(text));
    await delay(20);
  }
};

interface Counts {
  sessions: number;
  calls: number;
  failures: number;
}

const actSeveral = async (client: Client, from: number, counts: Counts): Promise<void> => {
  for (let at = 0; at < 5; at++) {
    counts.calls += 1;
    await ACTS[(from + at) % ACTS.length]?.(client).catch(() => {
      counts.failures += 1;
    });
  }
};

const soakHttp = async (url: string, until: number, counts: Counts): Promise<void> => {
  const sessions = toSessions(url);
  const worker = async (offset: number): Promise<void> => {
    for (let round = offset; Date.now() < until; round += WORKERS) {
      if (round % 10 === 0) await disturb(url);
      const client = await sessions[round % sessions.length]?.();
      if (client === undefined) continue;
      counts.sessions += 1;
      await actSeveral(client, round, counts);
      await client.close();
    }
  };
  await Promise.all(Array.from({ length: WORKERS }, (_, offset) => worker(offset)));
};

const soakStdio = async (client: Client, until: number, counts: Counts): Promise<void> => {
  for (let round = 0; Date.now() < until; round++) await actSeveral(client, round, counts);
};

interface Sample {
  readonly hours: number;
  readonly bytes: number;
}

const watchHeap = async (subject: Subject, until: number, seconds: number): Promise<Sample[]> => {
  const started = Date.now();
  const samples: Sample[] = [];
  while (Date.now() < until) {
    const { heapUsed, external } = await measureHeap(subject);
    samples.push({ hours: (Date.now() - started) / 3_600_000, bytes: heapUsed + external });
    await delay(Math.max(0, Math.min((seconds * 1000) / SAMPLES, until - Date.now())));
  }
  return samples;
};

const toSlope = (samples: readonly Sample[]): number => {
  const judged = samples.slice(Math.floor(samples.length * WARM_UP_SHARE));
  return slope(judged.map(({ hours, bytes }) => [hours, bytes]));
};

const toMiB = (bytes: number): string => `${(bytes / MIB).toFixed(2)} MiB`;

const soakAll = async (scene: Scene, folder: string, seconds: number) => {
  const tokenFile = join(folder, 'token');
  const cluster = await startHelper('slow-cluster.ts', { TOKEN_FILE: tokenFile });
  const kubeconfig = await scene.program.writeKubeconfig([
    { name: 'soak', server: cluster.url, token: (await readFile(tokenFile, 'utf8')).trim() },
  ]);
  const node = ['--expose-gc', '--import', join(import.meta.dirname, 'support', 'heap-probe.ts')];
  const probed = process.env['SOAK_SNAPSHOTS'] === undefined ? {} : { BENCH_HEAP_SNAPSHOTS: process.env['SOAK_SNAPSHOTS'] };
  const files = { http: join(folder, 'http.json'), stdio: join(folder, 'stdio.json') };
  const server = await startServer(scene.program, {
    args: ['--kubeconfig', kubeconfig],
    env: { ...FULL_SOON, ...probed, BENCH_HEAP_FILE: files.http },
    node,
  });
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: [...node, scene.program.main, '--kubeconfig', kubeconfig],
    env: cleanEnvironment({ ...RAISED_LIMITS, ...FULL_SOON, ...probed, BENCH_HEAP_FILE: files.stdio }),
    stderr: 'ignore',
  });
  const stdio = new Client(info);
  await stdio.connect(transport);
  const subjects: readonly Subject[] = [
    { name: 'http', pid: server.pid, heapFile: files.http },
    { name: 'stdio', pid: transport.pid ?? 0, heapFile: files.stdio },
  ];
  const counts: Counts = { sessions: 0, calls: 0, failures: 0 };
  const until = Date.now() + seconds * 1000;
  try {
    const [curves] = await Promise.all([
      Promise.all(subjects.map(async (subject) => ({ subject, samples: await watchHeap(subject, until, seconds) }))),
      soakHttp(server.url, until, counts),
      soakStdio(stdio, until, counts),
    ]);
    // Quiet again: what is held now is held by nobody's call.
    await delay(1000);
    const ends = await Promise.all(subjects.map(measureHeap));
    return { curves, ends, counts };
  } finally {
    await stdio.close();
    await server.stop();
    await cluster.stop();
  }
};

export const soak: Measurement = {
  id: 'soak',
  async measure(scene) {
    const seconds = Number(process.env['SOAK_SECONDS'] ?? DEFAULT_SECONDS);
    const folder = await mkdtemp(join(tmpdir(), 'bench-soak-'));
    try {
      const { curves, ends, counts } = await soakAll(scene, folder, seconds);
      return curves.map(({ subject, samples }, at) => {
        const growth = toSlope(samples) / MIB;
        const end = ends[at];
        return {
          id: 'soak',
          what: `${subject.name}: heap after garbage collection, ${seconds} s of ${toCount(counts.calls)} calls in ${toCount(counts.sessions)} sessions, ${toCount(counts.failures)} failed or left early`,
          ours: `${toMiB(samples[0]?.bytes ?? 0)} at start, ${toMiB((end?.heapUsed ?? 0) + (end?.external ?? 0))} at the end; slope ${growth.toFixed(1)} MiB per hour`,
          bar: `<= ${FLAT_MIB_PER_HOUR} MiB per hour after the first fifth (of ten minutes or more)`,
          ...(seconds >= DEFAULT_SECONDS ? { holds: growth <= FLAT_MIB_PER_HOUR } : {}),
          figures: { seconds, ...counts, growthMibPerHour: growth, residentAtEnd: end?.rss ?? 0, curve: samples.map(({ bytes }) => bytes) },
        };
      });
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
};
