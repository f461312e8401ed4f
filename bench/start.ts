// P5: from the start of the process to the answered tools/list, on stdio.

import { once } from 'node:events';
import { z } from 'zod';
import { toRequest } from './support/mcp.ts';
import type { PeerCommand } from './support/peers.ts';
import { startPiped } from './support/program.ts';
import type { Measurement, PeerName, Scene } from './support/rows.ts';
import { inTurn, median } from './support/statistics.ts';
import { toMs, toTimes } from './support/words.ts';

const ROUNDS = 15;
const WARM_UP = 3;
const BAR = 3.5;

/** What is written, and the id whose answer is awaited before the next. */
interface Step {
  readonly send: string;
  readonly until: number;
}

/** Requests of today's protocol, one after the other. */
export const toSteps = (requests: readonly (readonly [string, Readonly<Record<string, unknown>>])[]): readonly Step[] =>
  requests.map(([method, params], index) => ({ send: `${toRequest(method, params, index + 1)}\n`, until: index + 1 }));

const MODERN = toSteps([['tools/list', {}]]);

const legacy = (method: string, id: number | undefined, params?: object): string =>
  `${JSON.stringify({ jsonrpc: '2.0', ...(id === undefined ? {} : { id }), method, ...(params === undefined ? {} : { params }) })}\n`;

/** As clients of 2025 begin. */
const LEGACY: readonly Step[] = [
  {
    send: legacy('initialize', 1, { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'bench', version: '1' } }),
    until: 1,
  },
  { send: legacy('notifications/initialized', undefined) + legacy('tools/list', 2), until: 2 },
];

const message = z.object({ id: z.unknown(), result: z.unknown() });

/** Time until the last step is answered, ms; the process has ended when this resolves. */
export const startAndAsk = async ({ command, args, env }: PeerCommand, steps: readonly Step[]): Promise<number> => {
  const start = performance.now();
  const child = startPiped(command, args, env);
  const ended = once(child, 'exit');
  let took: number | undefined;
  let rest = '';
  const left = [...steps];
  child.stdin.write(left[0]?.send ?? '');
  for await (const chunk of child.stdout) {
    const lines = `${rest}${String(chunk)}`.split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      if (message.safeParse(JSON.parse(line)).data?.id !== left[0]?.until) continue;
      left.shift();
      if (left.length > 0) child.stdin.write(left[0]?.send ?? '');
      else {
        took = performance.now() - start;
        child.stdin.end();
      }
    }
  }
  await ended;
  if (took === undefined) throw new Error(`${command} ended before it answered`);
  return took;
};

/** The time of a Node that does nothing, ms. */
const startBare = async (): Promise<number> => {
  const start = performance.now();
  const child = startPiped(process.execPath, ['-e', '0']);
  child.stdout.resume();
  await once(child, 'exit');
  return performance.now() - start;
};

const toPeers = async (scene: Scene): Promise<Partial<Record<PeerName, () => Promise<number>>>> => {
  const { peers } = scene;
  if (peers === undefined) return {};
  const cluster = await scene.cluster();
  return {
    KMS: () => startAndAsk(peers.command('KMS', cluster), LEGACY),
    FLX: () => startAndAsk(peers.command('FLX', cluster), LEGACY),
  };
};

/** Cold start of the built program against bare Node, and against the peers. */
export const coldStart: Measurement = {
  id: 'P5',
  async measure(scene) {
    const kubeconfig =
      scene.peers === undefined
        ? await scene.program.writeKubeconfig([{ name: 'only', server: 'https://127.0.0.1:9' }])
        : (await scene.cluster()).kubeconfig;
    const start = { command: process.execPath, args: [scene.program.main, '--kubeconfig', kubeconfig], env: {} };
    const samples = await inTurn<'ours' | 'legacy' | 'bare' | PeerName>(
      {
        ours: () => startAndAsk(start, MODERN),
        legacy: () => startAndAsk(start, LEGACY),
        bare: startBare,
        ...(await toPeers(scene)),
      } as Record<'ours' | 'legacy' | 'bare' | PeerName, () => Promise<number>>,
      { rounds: ROUNDS, warmUp: WARM_UP },
    );
    const [ours, older, bare] = [median(samples.ours), median(samples.legacy), median(samples.bare)];
    const told = (name: PeerName): string => {
      const time = median(samples[name]);
      return `${toMs(time)}, ${toTimes(time / bare)}; ours is ${toTimes(ours / time)} of it`;
    };
    return [
      {
        id: 'P5',
        what: 'cold start: process start to tools/list on stdio, against bare Node',
        ours: `${toTimes(ours / bare)} (${toMs(ours)} against ${toMs(bare)}); with a handshake of 2025 ${toTimes(older / bare)}`,
        bar: `<= ${BAR}x bare Node`,
        holds: ours / bare <= BAR,
        ...(scene.peers === undefined ? {} : { peers: { KMS: told('KMS'), FLX: told('FLX') } }),
        figures: { ours: samples.ours, legacy: samples.legacy, bare: samples.bare, ratio: ours / bare },
      },
    ];
  },
};
