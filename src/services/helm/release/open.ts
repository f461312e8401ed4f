// One revision of a release, read, and its secrets taught to the redactor before anything of it is shown.

import type { CallContext } from '../../../kit/context.ts';
import { AppError } from '../../../kit/errors.ts';
import type { KubernetesClient } from '../../../upstream/kubernetes/client.ts';
import { explainForbiddenReleases } from '../forbidden.ts';
import type { Helm } from '../helm.ts';
import type { Release } from '../storage/record.ts';
import type { Revision } from '../storage/revisions.ts';
import { checkNamespace, checkReleaseName } from '../storage/storage.ts';
import { type Manifest, parseManifest } from './manifest.ts';
import { learnRelease } from './redact.ts';

export interface OpenRelease {
  readonly revision: Revision;
  readonly release: Release;
  readonly manifest: Manifest;
}

export interface ReleaseAddress {
  readonly name: string;
  readonly namespace: string;
}

/** All revisions, newest first. */
export const readHistory = async (
  helm: Helm,
  client: KubernetesClient,
  { name, namespace }: ReleaseAddress,
  ctx: CallContext,
): Promise<Revision[]> => {
  checkReleaseName(name);
  checkNamespace(namespace);
  return helm.storage.history(client, { name, namespace }, ctx.signal).catch(async (thrown: unknown) => {
    throw await explainForbiddenReleases(thrown, client, { namespace, ctx });
  });
};

/** @throws NOT_FOUND with the revisions that there are */
export const pickRevision = (history: readonly Revision[], wanted: number | undefined): Revision => {
  const found = wanted === undefined ? history[0] : history.find(({ revision }) => revision === wanted);
  if (found !== undefined) return found;
  const choices = history.map(({ revision }) => revision);
  throw new AppError('NOT_FOUND', `The release ${history[0]?.name ?? ''} has no revision ${wanted}; Helm keeps ${choices.join(', ')}.`, {
    details: { argument: 'revision', choices },
  });
};

export const openRevision = async (helm: Helm, client: KubernetesClient, revision: Revision, signal: AbortSignal): Promise<OpenRelease> => {
  const release = await helm.storage.read(client, revision, signal);
  const manifest = await parseManifest(release.manifest, revision.namespace);
  const hooks = await parseManifest(release.hooks.map((hook) => hook.manifest).join('\n---\n'), revision.namespace);
  learnRelease(release, [...manifest.objects, ...hooks.objects], helm.kubernetes);
  return { revision, release, manifest };
};
