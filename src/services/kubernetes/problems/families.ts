// The families of checks: what each is called, which kinds it reads, which kinds it speaks about.

import { checkCertificates } from './certificates.ts';
import { checkContainers } from './containers.ts';
import { checkImages } from './images.ts';
import { checkProbes } from './probes.ts';
import type { Check } from './problem.ts';
import { checkQuotas } from './quota.ts';
import { checkReferences } from './references.ts';
import { checkRollouts } from './rollout.ts';
import { checkScheduling } from './scheduling.ts';
import { checkServices } from './services.ts';
import type { Plural } from './snapshot.ts';

export interface Family {
  /** As answers list it. */
  readonly name: string;
  readonly check: Check;
  /** Without these nothing can be said. */
  readonly needs: readonly Plural[];
  /** These make the answer better. */
  readonly uses: readonly Plural[];
  /** Kinds whose objects it can find fault with, themselves or through what they own. */
  readonly about: readonly Plural[];
  /** Left out when the question is about one namespace. */
  readonly isClusterWide?: boolean;
}

const WORKLOADS = ['pods', 'deployments', 'replicasets', 'statefulsets', 'daemonsets', 'jobs', 'cronjobs'] as const;
const OWNERS = ['deployments', 'replicasets', 'jobs', 'events'] as const;

export const FAMILIES: readonly Family[] = [
  { name: 'container state', check: checkContainers, needs: ['pods'], uses: OWNERS, about: WORKLOADS },
  { name: 'images', check: checkImages, needs: ['pods'], uses: OWNERS, about: WORKLOADS },
  {
    name: 'scheduling',
    check: checkScheduling,
    needs: ['pods'],
    uses: [...OWNERS, 'nodes', 'persistentvolumeclaims'],
    about: WORKLOADS,
  },
  { name: 'probes', check: checkProbes, needs: ['pods'], uses: OWNERS, about: WORKLOADS },
  { name: 'references', check: checkReferences, needs: ['pods'], uses: OWNERS, about: WORKLOADS },
  { name: 'quota and admission of pods', check: checkQuotas, needs: ['replicasets'], uses: [...WORKLOADS, 'events'], about: WORKLOADS },
  {
    name: 'rollout',
    check: checkRollouts,
    needs: ['deployments', 'statefulsets', 'daemonsets'],
    uses: [],
    about: ['deployments', 'statefulsets', 'daemonsets'],
  },
  {
    name: 'services',
    check: checkServices,
    needs: ['services', 'endpointslices'],
    uses: ['pods', 'deployments', 'statefulsets', 'replicasets'],
    about: ['services', 'endpointslices'],
  },
  { name: 'certificates', check: checkCertificates, needs: ['secrets'], uses: ['ingresses'], about: ['secrets', 'ingresses'] },
];
