// The Helm service: releases read natively from their storage; charts from repositories and registries; changes through the user's own binary.

import type { Health } from '../../kit/directory.ts';
import { defineService } from '../../kit/service.ts';
import { helmConfig } from './config.ts';
import { type Helm, openHelm } from './helm.ts';
import chart from './tools/chart.ts';
import get from './tools/get.ts';
import list from './tools/list.ts';
import search from './tools/search.ts';

/** Up means that the cluster answers to our login; repositories are asked when somebody needs them. */
const ping = async (helm: Helm, signal: AbortSignal): Promise<Health> => {
  const client = await helm.kubernetes.targets.client();
  await client.selfSubjectReview({ signal });
  return { state: 'up', details: { cluster: client.target.name, records: helm.storage.stats(), charts: helm.repositories.stats() } };
};

export const helm = defineService({
  name: 'helm',
  title: 'Helm',
  config: helmConfig,
  tools: [...list, ...get, ...search, ...chart],
  connect: openHelm,
  ping,
  close: ({ kubernetes }) => kubernetes.targets.close(),
});
