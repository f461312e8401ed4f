// P3: what a first look at 500 pods costs a model. P7: how long a list takes against the same question asked plainly.

import { countTokens } from 'gpt-tokenizer/encoding/o200k_base';
import { z } from 'zod';
import { type BenchCluster, LIGHT_TABLE } from './support/cluster.ts';
import { connectMcp, type McpClient } from './support/mcp.ts';
import { type PeerClient, toFailure } from './support/peers.ts';
import { startServer } from './support/program.ts';
import type { Measurement, PeerName, Row, Scene } from './support/rows.ts';
import { inTurn, median, timed } from './support/statistics.ts';
import { toCount, toKb, toMs, toTimes } from './support/words.ts';

const MOST_BYTES = 8000;
const MOST_TOKENS = 3000;
const TIMES_RAW = 2;
const TIMES_KMS = 0.05;

const withOurs = async <Result>(scene: Scene, cluster: BenchCluster, use: (client: McpClient) => Promise<Result>): Promise<Result> => {
  const server = await startServer(scene.program, { args: ['--kubeconfig', cluster.kubeconfig] });
  const client = connectMcp(server.url);
  try {
    return await use(client);
  } finally {
    await client.close();
    await server.stop();
  }
};

const PEER_LIST: Readonly<Record<PeerName, (namespace: string) => readonly [string, Record<string, unknown>]>> = {
  KMS: (namespace) => ['pods_list_in_namespace', { namespace }],
  FLX: (namespace) => ['kubectl_get', { resourceType: 'pods', name: '', namespace }],
};

/** The text of a peer's list, or in words why there is none. */
const tryList = async (
  scene: Scene,
  name: PeerName,
  cluster: BenchCluster,
  namespace: string,
): Promise<{ text?: string; words: string }> => {
  const client = await scene.peers?.connect(name, cluster);
  if (client === undefined) return { words: '' };
  try {
    const [tool, args] = PEER_LIST[name](namespace);
    let text = '';
    const time = await timed(async () => {
      text = await client.call(tool, args);
    });
    return { text, words: `${toKb(Buffer.byteLength(text))}, ${toCount(countTokens(text))} tokens, ${toMs(time)}` };
  } catch (error) {
    return { words: toFailure(error) };
  } finally {
    await client.close();
  }
};

const listShape = z.object({
  states: z.record(z.string(), z.number()),
  rows: z.array(z.unknown()),
  page: z.object({ total: z.number(), shown: z.number(), next: z.string() }),
});

/** The first answer to "list the pods" where there are 500. */
export const firstList: Measurement = {
  id: 'P3',
  async measure(scene) {
    const cluster = await scene.cluster();
    const namespace = await cluster.pods(500);
    const answer = await withOurs(scene, cluster, (client) => client.call('kubernetes_list_resources', { kind: 'pods', namespace }));
    const { states, page } = listShape.parse(answer.structured);
    const bytes = Buffer.byteLength(answer.text);
    const tokens = countTokens(answer.text);
    const inJson = JSON.stringify(answer.structured);
    const counted = Object.values(states).reduce((total, count) => total + count, 0);
    const peers =
      scene.peers === undefined
        ? {}
        : {
            peers: {
              KMS: (await tryList(scene, 'KMS', cluster, namespace)).words,
              FLX: (await tryList(scene, 'FLX', cluster, namespace)).words,
            },
          };
    return [
      {
        id: 'P3',
        what: '500 pods listed: the first answer as a model reads it',
        ours: `${toKb(bytes)}, ${toCount(tokens)} tokens (as JSON ${toCount(countTokens(inJson))}): total ${page.total}, ${counted} in states, ${page.shown} rows, a cursor`,
        bar: `<= ${toKb(MOST_BYTES)} and <= ${toCount(MOST_TOKENS)} tokens, exact total, states, cursor`,
        holds: bytes <= MOST_BYTES && tokens <= MOST_TOKENS && page.total === 500 && counted === 500,
        ...peers,
        figures: {
          bytes,
          tokens,
          structuredBytes: Buffer.byteLength(inJson),
          structuredTokens: countTokens(inJson),
          wireBytes: answer.bytes,
          shown: page.shown,
        },
      },
    ];
  },
};

const SIZES = [
  { count: 500, rounds: 21, kmsRounds: 7 },
  { count: 5000, rounds: 11, kmsRounds: 1 },
] as const;

const measureSize = async (
  scene: Scene,
  client: McpClient,
  kms: PeerClient | undefined,
  { count, rounds, kmsRounds }: (typeof SIZES)[number],
): Promise<Row> => {
  const cluster = await scene.cluster();
  const namespace = await cluster.pods(count);
  const path = `/api/v1/namespaces/${namespace}/pods`;
  const ask = async (query: string, accept: string): Promise<void> =>
    void JSON.parse((await cluster.api.request(`${path}${query}`, { accept })).text);
  const samples = await inTurn(
    {
      ours: () => timed(() => client.call('kubernetes_list_resources', { kind: 'pods', namespace })),
      raw: () => timed(() => ask('?includeObject=None', LIGHT_TABLE)),
    },
    { rounds, warmUp: 5 },
  );
  const full = await inTurn({ raw: () => timed(() => ask('', 'application/json')) }, { rounds: 7, warmUp: 1 });
  const [ours, raw] = [median(samples.ours), median(samples.raw)];
  const [tool, args] = PEER_LIST.KMS(namespace);
  const theirs =
    kms === undefined ? undefined : await inTurn({ kms: () => timed(() => kms.call(tool, args)) }, { rounds: kmsRounds, warmUp: 1 });
  const kmsTime = theirs === undefined ? undefined : median(theirs.kms);
  const flx = scene.peers === undefined ? '' : (await tryList(scene, 'FLX', cluster, namespace)).words;
  return {
    id: 'P7',
    what: `list of ${toCount(count)} pods, against the light table asked plainly`,
    ours: `${toTimes(ours / raw)} (${toMs(ours)} against ${toMs(raw)}; whole objects asked plainly ${toMs(median(full.raw))})${kmsTime === undefined ? '' : `; ${(ours / kmsTime).toFixed(3)}x KMS`}`,
    bar: `<= ${TIMES_RAW}x raw; <= ${TIMES_KMS}x KMS`,
    holds: ours / raw <= TIMES_RAW && (kmsTime === undefined || ours / kmsTime <= TIMES_KMS),
    ...(kmsTime === undefined ? {} : { peers: { KMS: toMs(kmsTime), FLX: flx } }),
    figures: {
      ours: samples.ours,
      raw: samples.raw,
      rawFull: full.raw,
      ratio: ours / raw,
      ...(theirs === undefined ? {} : { kms: theirs.kms }),
    },
  };
};

/** Lists through our server against the same list from the API server itself. */
export const listLatency: Measurement = {
  id: 'P7',
  async measure(scene) {
    const cluster = await scene.cluster();
    const kms = await scene.peers?.connect('KMS', cluster);
    try {
      return await withOurs(scene, cluster, async (client) => {
        const rows: Row[] = [];
        for (const size of SIZES) rows.push(await measureSize(scene, client, kms, size));
        return rows;
      });
    } finally {
      await kms?.close();
    }
  },
};
