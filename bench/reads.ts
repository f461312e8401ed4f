// P15: one pod, and the events of a namespace: tokens and time.

import { countTokens } from 'gpt-tokenizer/encoding/o200k_base';
import type { BenchCluster } from './support/cluster.ts';
import { connectMcp, type McpClient } from './support/mcp.ts';
import { toFailure } from './support/peers.ts';
import { startServer } from './support/program.ts';
import type { Measurement, PeerName, Row, Scene } from './support/rows.ts';
import { inTurn, median, timed } from './support/statistics.ts';
import { toCount, toMs, toTimes } from './support/words.ts';

const ROUNDS = 21;
const PEER_ROUNDS = 7;

interface Question {
  readonly what: string;
  readonly tool: string;
  readonly args: Readonly<Record<string, unknown>>;
  /** The same asked plainly. */
  readonly path: string;
  readonly most: number;
  readonly peers: Readonly<Record<PeerName, readonly [string, Readonly<Record<string, unknown>>]>>;
}

const toQuestions = (namespace: string, pod: string, events: number): readonly Question[] => [
  {
    what: 'one pod, summary',
    tool: 'kubernetes_get_resource',
    args: { kind: 'pod', name: pod, namespace },
    path: `/api/v1/namespaces/${namespace}/pods/${pod}`,
    most: 700,
    peers: {
      KMS: ['pods_get', { name: pod, namespace }],
      FLX: ['kubectl_get', { resourceType: 'pod', name: pod, namespace, output: 'json' }],
    },
  },
  {
    what: `${events} events, grouped`,
    tool: 'kubernetes_list_events',
    args: { namespace, type: 'all' },
    path: `/apis/events.k8s.io/v1/namespaces/${namespace}/events`,
    most: 1500,
    peers: { KMS: ['events_list', { namespace }], FLX: ['kubectl_get', { resourceType: 'events', name: '', namespace, output: 'json' }] },
  },
];

const askPeer = async (scene: Scene, cluster: BenchCluster, name: PeerName, question: Question): Promise<string> => {
  const client = await scene.peers?.connect(name, cluster);
  if (client === undefined) return '';
  try {
    const [tool, args] = question.peers[name];
    let text = '';
    const ask = async (): Promise<void> => {
      text = await client.call(tool, args);
    };
    const { time } = await inTurn({ time: () => timed(ask) }, { rounds: PEER_ROUNDS, warmUp: 1 });
    return `${toCount(countTokens(text))} tokens, ${toMs(median(time))}`;
  } catch (error) {
    return toFailure(error);
  } finally {
    await client.close();
  }
};

const measureQuestion = async (scene: Scene, client: McpClient, question: Question): Promise<Row> => {
  const cluster = await scene.cluster();
  const { tool, args, path, most } = question;
  const { text } = await client.call(tool, args);
  const samples = await inTurn(
    {
      ours: () => timed(() => client.call(tool, args)),
      raw: () => timed(() => cluster.api.json(path)),
    },
    { rounds: ROUNDS, warmUp: 5 },
  );
  const tokens = countTokens(text);
  const [ours, raw] = [median(samples.ours), median(samples.raw)];
  const peers =
    scene.peers === undefined
      ? {}
      : { peers: { KMS: await askPeer(scene, cluster, 'KMS', question), FLX: await askPeer(scene, cluster, 'FLX', question) } };
  return {
    id: 'P15',
    what: question.what,
    ours: `${toCount(tokens)} tokens, ${toMs(ours)} (the object plainly ${toMs(raw)}, ${toTimes(ours / raw)})`,
    bar: `<= ${toCount(most)} tokens`,
    holds: tokens <= most,
    ...peers,
    figures: { tokens, ours: samples.ours, raw: samples.raw },
  };
};

/** One object and many events. */
export const oneAnswer: Measurement = {
  id: 'P15',
  async measure(scene) {
    const cluster = await scene.cluster();
    const namespace = await cluster.pods(500);
    const pod = await cluster.somePod(500);
    const server = await startServer(scene.program, { args: ['--kubeconfig', cluster.kubeconfig] });
    const client = connectMcp(server.url);
    try {
      const rows: Row[] = [];
      for (const question of toQuestions(namespace, pod, cluster.events)) rows.push(await measureQuestion(scene, client, question));
      return rows;
    } finally {
      await client.close();
      await server.stop();
    }
  },
};
