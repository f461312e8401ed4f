// P11: what a start suffers from a cluster that never answers, beside one that does.

import { readFile, writeFile } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { z } from 'zod';
import { startAndAsk, toSteps } from './start.ts';
import type { Measurement } from './support/rows.ts';
import { inTurn, median } from './support/statistics.ts';
import { toMs, toTimes } from './support/words.ts';

const ROUNDS = 11;
const NO_DIFFERENCE = 1.15;

interface Dead {
  readonly port: number;
  close(): void;
}

/** An address that takes connections and never says a word. */
const openDead = async (): Promise<Dead> => {
  const sockets = new Set<Socket>();
  const server: Server = createServer({ pauseOnConnect: true }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
  });
  const port = await new Promise<number>((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      resolve(typeof address === 'object' ? (address?.port ?? 0) : 0);
    });
  });
  return {
    port,
    close() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
};

const named = z.array(z.looseObject({ name: z.string() })).length(1);
const configShape = z.looseObject({ clusters: named, users: named, contexts: named });

/** The good cluster as `good`, with as many dead ones before it; the first is the current one. */
const toConfig = (text: string, deadPorts: readonly number[]): string => {
  const { clusters, users, contexts, ...rest } = configShape.parse(parse(text));
  const deadName = (index: number): string => `dead-${index + 1}`;
  return stringify({
    ...rest,
    'current-context': deadPorts.length > 0 ? deadName(0) : 'good',
    users,
    clusters: [
      ...deadPorts.map((port, index) => ({ name: deadName(index), cluster: { server: `https://127.0.0.1:${port}` } })),
      ...clusters,
    ],
    contexts: [
      ...deadPorts.map((_, index) => ({ name: deadName(index), context: { cluster: deadName(index), user: users[0]?.name } })),
      ...contexts.map((context) => ({ ...context, name: 'good' })),
    ],
  });
};

/** Start and first answers with a dead cluster, against none. */
export const deadCluster: Measurement = {
  id: 'P11',
  async measure(scene) {
    const { program } = scene;
    const cluster = await scene.cluster();
    const namespace = await cluster.pods(500);
    const text = await readFile(cluster.kubeconfig, 'utf8');
    const dead = await openDead();
    const [alone, beside] = [join(program.folder, 'alone'), join(program.folder, 'beside')];
    await writeFile(alone, toConfig(text, []));
    await writeFile(beside, toConfig(text, [dead.port]));
    const list = ['tools/list', {}] as const;
    const read = ['tools/call', { name: 'kubernetes_list_resources', arguments: { kind: 'pods', namespace, cluster: 'good' } }] as const;
    const ask = (file: string, requests: Parameters<typeof toSteps>[0]) => () =>
      startAndAsk({ command: process.execPath, args: [program.main, '--kubeconfig', file], env: {} }, toSteps(requests));
    try {
      const samples = await inTurn(
        {
          listAlone: ask(alone, [list]),
          listBeside: ask(beside, [list]),
          readAlone: ask(alone, [list, read]),
          readBeside: ask(beside, [list, read]),
        },
        { rounds: ROUNDS },
      );
      const [listed, readTime] = [
        median(samples.listBeside) / median(samples.listAlone),
        median(samples.readBeside) / median(samples.readAlone),
      ];
      return [
        {
          id: 'P11',
          what: 'start with a cluster that never answers, beside a good one: tools/list, then a list on the good one',
          ours: `tools/list ${toTimes(listed)} (${toMs(median(samples.listBeside))}), then 500 pods ${toTimes(readTime)} (${toMs(median(samples.readBeside))})`,
          bar: `no difference (<= ${NO_DIFFERENCE}x)`,
          holds: listed <= NO_DIFFERENCE && readTime <= NO_DIFFERENCE,
          figures: { ...samples, listRatio: listed, readRatio: readTime },
        },
      ];
    } finally {
      dead.close();
    }
  },
};
