// The Helm service: releases read natively from their storage; charts from repositories and registries; changes through the user's own binary.

import type { Health } from '../../kit/directory.ts';
import { toAppError } from '../../kit/errors.ts';
import { defineService } from '../../kit/service.ts';
import { helmConfig } from './config.ts';
import { type Helm, openHelm } from './helm.ts';
import { completions, prompts, signals, templates } from './parts.ts';
import chart from './tools/chart.ts';
import deploy from './tools/deploy.ts';
import get from './tools/get.ts';
import list from './tools/list.ts';
import render from './tools/render.ts';
import rollback from './tools/rollback.ts';
import search from './tools/search.ts';
import uninstall from './tools/uninstall.ts';

/** Up means that the cluster answers to our login; repositories are asked when somebody needs them. */
const ping = async (helm: Helm, signal: AbortSignal): Promise<Health> => {
  const client = await helm.kubernetes.targets.client();
  await client.selfSubjectReview({ signal });
  const binary = helm.binary.isThere
    ? await helm.binary.version(signal).catch((thrown: unknown) => toAppError(thrown).message)
    : 'not there: set helm.binary, or put helm on the PATH; releases and charts are read without it';
  return {
    state: 'up',
    details: { cluster: client.target.name, binary, records: helm.storage.stats(), charts: helm.repositories.stats() },
  };
};

export const helm = defineService({
  name: 'helm',
  title: 'Helm',
  config: helmConfig,
  tools: [...list, ...get, ...search, ...chart, ...render, ...deploy, ...rollback, ...uninstall],
  connect: openHelm,
  ping,
  close: ({ kubernetes }) => kubernetes.targets.close(),
  templates,
  prompts,
  completions,
  signals,
});
