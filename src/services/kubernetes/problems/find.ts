// Reads what the wanted checks need, runs every check that can run on it, joins what they found.

import type { CallContext } from '../../../kit/context.ts';
import type { KubernetesClient } from '../../../upstream/kubernetes/client.ts';
import { FAMILIES, type Family } from './families.ts';
import { joinProblems } from './join.ts';
import type { Problem } from './problem.ts';
import { type Reading, readSnapshot } from './read.ts';
import type { Plural, Snapshot } from './snapshot.ts';

export interface Found {
  readonly reading: Reading;
  /** The wanted families: what each found by itself, or undefined when it could not run. */
  readonly families: readonly { readonly family: Family; readonly problems: readonly Problem[] | undefined }[];
  /** Of all families that could run, joined and ranked. */
  readonly joined: readonly Problem[];
}

export interface FindOptions {
  /** Absent = all namespaces. */
  readonly namespace: string | undefined;
  /** Only families that speak about these kinds; absent = all. */
  readonly about?: readonly Plural[] | undefined;
}

/** Families that only make sense for a whole cluster read kinds that a question about one namespace need not pay for. */
const isWanted = (family: Family, { namespace, about }: FindOptions): boolean =>
  about === undefined ? namespace === undefined || family.isClusterWide !== true : family.about.some((plural) => about.includes(plural));

const canRun = ({ needs }: Family, snapshot: Snapshot): boolean => needs.every((plural) => snapshot.isRead(plural));

/** What an add-on would have, and this cluster has not, is neither checked nor missing. */
const isServed =
  ({ snapshot, unread }: Reading) =>
  ({ needs }: Family): boolean =>
    needs.every((plural) => snapshot.isRead(plural) || unread.some(({ kind }) => kind === plural));

const runFamily = ({ name, check }: Family, snapshot: Snapshot, now: number): readonly Problem[] =>
  check(snapshot, now).map((problem) => ({ ...problem, check: name }));

export const findProblems = async (client: KubernetesClient, options: FindOptions, ctx: CallContext): Promise<Found> => {
  const wanted = FAMILIES.filter((family) => isWanted(family, options));
  const kinds = wanted.flatMap(({ needs, uses }) => [...needs, ...uses]);
  const reading = await readSnapshot(client, kinds, {
    namespace: options.namespace,
    signal: ctx.signal,
    progress: (update) => ctx.progress(update),
  });
  const results = new Map(
    FAMILIES.flatMap((family) =>
      canRun(family, reading.snapshot) ? [[family, runFamily(family, reading.snapshot, ctx.now())] as const] : [],
    ),
  );
  return {
    reading,
    families: wanted.filter(isServed(reading)).map((family) => ({ family, problems: results.get(family) })),
    joined: joinProblems([...results.values()].flat()),
  };
};
