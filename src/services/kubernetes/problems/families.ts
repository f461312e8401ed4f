// The families of checks: what each is called, which kinds it reads, which kinds it speaks about.

import { checkAdmission } from './admission.ts';
import { checkAutoscalers } from './autoscaling.ts';
import { checkCertificates } from './certificates.ts';
import { checkContainers } from './containers.ts';
import { checkDeletions, DELETABLE } from './deletion.ts';
import { checkDeprecated, DEPRECATABLE } from './deprecated.ts';
import { checkBudgets } from './disruption.ts';
import { checkEndedPods } from './ended.ts';
import { checkGateways } from './gateways.ts';
import { checkImages } from './images.ts';
import { checkIngresses } from './ingresses.ts';
import { checkJobs } from './jobs.ts';
import { checkNodes } from './nodes.ts';
import { checkOrphans } from './orphans.ts';
import { checkProbes } from './probes.ts';
import type { Check } from './problem.ts';
import { checkQuotas } from './quota.ts';
import { checkReferences } from './references.ts';
import { checkRollouts } from './rollout.ts';
import { checkScheduling } from './scheduling.ts';
import { checkSelectors } from './selectors.ts';
import { checkServices } from './services.ts';
import type { Plural } from './snapshot.ts';
import { checkVolumes } from './volumes.ts';

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
  { name: 'ended pods', check: checkEndedPods, needs: ['pods'], uses: OWNERS, about: WORKLOADS },
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
  {
    name: 'selectors',
    check: checkSelectors,
    needs: ['deployments', 'statefulsets', 'daemonsets'],
    uses: [],
    about: ['deployments', 'statefulsets', 'daemonsets'],
  },
  {
    name: 'ingresses',
    check: checkIngresses,
    needs: ['ingresses'],
    uses: ['ingressclasses', 'services', 'secrets'],
    about: ['ingresses', 'ingressclasses'],
  },
  {
    name: 'gateways',
    check: checkGateways,
    needs: ['httproutes'],
    uses: ['gateways', 'services'],
    about: ['gateways', 'httproutes'],
  },
  {
    name: 'volumes',
    check: checkVolumes,
    needs: ['persistentvolumeclaims'],
    uses: ['pods', 'replicasets', 'storageclasses', 'events'],
    about: ['persistentvolumeclaims', 'persistentvolumes', ...WORKLOADS],
  },
  { name: 'jobs', check: checkJobs, needs: ['jobs', 'cronjobs'], uses: ['pods', 'events'], about: ['jobs', 'cronjobs'] },
  {
    name: 'autoscaling',
    check: checkAutoscalers,
    needs: ['horizontalpodautoscalers'],
    uses: ['deployments', 'statefulsets', 'replicasets'],
    about: ['horizontalpodautoscalers', 'deployments', 'statefulsets'],
  },
  {
    name: 'disruption budgets',
    check: checkBudgets,
    needs: ['poddisruptionbudgets'],
    uses: ['pods', ...OWNERS],
    about: ['poddisruptionbudgets'],
  },
  { name: 'nodes', check: checkNodes, needs: ['nodes'], uses: ['pods', ...OWNERS], about: ['nodes'] },
  { name: 'deletions', check: checkDeletions, needs: ['pods'], uses: DELETABLE, about: DELETABLE },
  {
    name: 'admission and aggregated APIs',
    check: checkAdmission,
    needs: ['validatingwebhookconfigurations', 'mutatingwebhookconfigurations'],
    uses: ['apiservices', 'services', 'endpointslices', 'pods'],
    about: ['validatingwebhookconfigurations', 'mutatingwebhookconfigurations', 'apiservices'],
    isClusterWide: true,
  },
  {
    name: 'orphans',
    check: checkOrphans,
    needs: ['replicasets', 'pods'],
    uses: ['persistentvolumes'],
    about: ['persistentvolumes', 'replicasets', 'pods'],
  },
  { name: 'deprecated APIs', check: checkDeprecated, needs: ['deployments'], uses: DEPRECATABLE, about: DEPRECATABLE },
  { name: 'certificates', check: checkCertificates, needs: ['secrets'], uses: ['ingresses'], about: ['secrets', 'ingresses'] },
];
