// Run inside the network of a real cluster: makes pods there and writes them, with the events they caused, to a file.

import { writeFileSync } from 'node:fs';
import type { Json } from '../../test/backends/backend.ts';
import { listAt } from '../../test/backends/kubernetes/api.ts';
import { connect, readBed } from '../../test/backends/kubernetes/bed.ts';
import { createPods } from '../../test/backends/kubernetes/workload.ts';

/** What a real cluster said about its pods, ready to be shown by a quiet API server. */
export interface Collected {
  readonly pods: readonly Json[];
  readonly events: readonly Json[];
}

const [file = '', namespace = '', count = ''] = process.argv.slice(2);
const api = connect(readBed());
try {
  await createPods(api, { namespace, count: Number(count) });
  const pods = listAt(await api.json(`/api/v1/namespaces/${namespace}/pods`), 'items');
  const events = listAt(await api.json(`/api/v1/namespaces/${namespace}/events`), 'items');
  writeFileSync(file, JSON.stringify({ pods, events } satisfies Collected));
} finally {
  await api.close();
}
