// P6: resident memory after the start, and whether 10,000 mixed calls leave something behind.

import { connectMcp, type McpClient } from './support/mcp.ts';
import { memoryOf, startServer } from './support/program.ts';
import type { Measurement, PeerName, Scene } from './support/rows.ts';
import { median, slope } from './support/statistics.ts';
import { toCount, toMib } from './support/words.ts';

const CALLS = 10_000;
const CALLERS = 4;
const SAMPLES = 80;
const MIB = 2 ** 20;
const MOST_AT_START = 90 * MIB;
const MOST_AFTER = 110 * MIB;
/** What counts as no slope: growth per 1,000 calls over the second half. */
const FLAT = 0.5 * MIB;

/** Ten calls as an agent mixes them: cheap ones, lists, single objects, events, a mistake. */
const toMix = (namespace: string, pod: string): readonly ((client: McpClient) => Promise<unknown>)[] => {
  const list = (args: object) => (client: McpClient) => client.call('kubernetes_list_resources', { kind: 'pods', namespace, ...args });
  const get = (args: object) => (client: McpClient) =>
    client.call('kubernetes_get_resource', { kind: 'pod', name: pod, namespace, ...args });
  return [
    (client) => client.ask('tools/list'),
    get({}),
    list({}),
    (client) => client.call('platform_status', {}),
    get({ view: 'yaml' }),
    (client) => client.call('kubernetes_list_resources', { kind: 'namespaces' }),
    list({ limit: 5, sortBy: 'AGE' }),
    (client) => client.ask('resources/templates/list'),
    get({ name: 'absent-pod' }),
    (client) => client.call('kubernetes_list_events', { namespace, type: 'all', limit: 5 }),
  ];
};

/** Makes the calls, several at once; gives the memory at even distances. */
const work = async (client: McpClient, mix: ReturnType<typeof toMix>, pid: number): Promise<[number, number][]> => {
  const points: [number, number][] = [];
  let made = 0;
  const caller = async (): Promise<void> => {
    while (made < CALLS) {
      const number = made++;
      // The absent pod is refused: a failed call is part of the mix.
      await mix[number % mix.length]?.(client).catch((error: Error) => {
        if (!error.message.includes('absent-pod')) throw error;
      });
      if (number % (CALLS / SAMPLES) === 0) points.push([number, memoryOf(pid)]);
    }
  };
  await Promise.all(Array.from({ length: CALLERS }, caller));
  return points;
};

/** Memory of a peer that has listed its tools, in words. */
const peerMemory = async (scene: Scene, name: PeerName): Promise<string> => {
  const client = await scene.peers?.connect(name, await scene.cluster());
  if (client === undefined) return '';
  try {
    return `${toMib(memoryOf(client.pid))} at start`;
  } finally {
    await client.close();
  }
};

/** Memory at start and under work. */
export const memory: Measurement = {
  id: 'P6',
  async measure(scene) {
    const cluster = await scene.cluster();
    const mix = toMix(await cluster.pods(500), await cluster.somePod(500));
    const server = await startServer(scene.program, { args: ['--kubeconfig', cluster.kubeconfig] });
    const client = connectMcp(server.url);
    try {
      const atStart = memoryOf(server.pid);
      await client.ask('tools/list');
      const points = await work(client, mix, server.pid);
      const later = points.filter(([number]) => number >= CALLS / 2);
      const after = median(points.slice(-8).map(([, bytes]) => bytes));
      const peak = Math.max(...points.map(([, bytes]) => bytes));
      const growth = slope(later) * 1000;
      return [
        {
          id: 'P6',
          what: `memory after start and after ${toCount(CALLS)} mixed calls, ${CALLERS} at once, 500 pods`,
          ours: `${toMib(atStart)} at start, ${toMib(after)} after, ${toMib(peak)} at most; second half ${(growth / MIB).toFixed(2)} MiB per 1,000 calls`,
          bar: '<= 90 MiB, <= 110 MiB, no slope (<= 0.5 MiB per 1,000)',
          holds: atStart <= MOST_AT_START && after <= MOST_AFTER && growth <= FLAT,
          ...(scene.peers === undefined ? {} : { peers: { KMS: await peerMemory(scene, 'KMS'), FLX: await peerMemory(scene, 'FLX') } }),
          figures: { atStart, after, peak, growthPer1000: growth, curve: points.map(([, bytes]) => bytes) },
        },
      ];
    } finally {
      await client.close();
      await server.stop();
    }
  },
};
