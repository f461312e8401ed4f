// The services, in one literal record. Adding one is a folder and a line here.

import type { z } from 'zod';
import type { ServiceDefinition } from '../kit/service.ts';
import { kubernetesConfig } from '../upstream/kubernetes/config.ts';
import { findKubernetes } from '../upstream/kubernetes/find.ts';
import { helmConfig } from './helm/config.ts';
import { findHelm } from './helm/find.ts';
import { type PlatformConfig, platformConfig } from './platform/config.ts';

type Environment = Readonly<Record<string, string | undefined>>;

interface Found {
  readonly configured: boolean;
  readonly clusters?: number;
  readonly capabilities?: readonly string[];
}

/** What a start needs of a service; the service itself is loaded on first use. */
export interface ServiceSlot {
  readonly config: z.ZodType;
  readonly load: () => Promise<ServiceDefinition>;
  /**
   * Is there something to talk to? Must not touch the network. `clusters` counts the environments that `cluster` may name; `capabilities` are
   * those that tools may need. `sections` is the whole configuration.
   */
  readonly find: (config: never, env: Environment, sections: Readonly<Record<string, unknown>>) => Found;
}

export const services = {
  platform: {
    config: platformConfig,
    load: async () => (await import('./platform/index.ts')).platform,
    find: ({ enabled }: PlatformConfig) => ({ configured: enabled }),
  },
  kubernetes: { config: kubernetesConfig, load: async () => (await import('./kubernetes/index.ts')).kubernetes, find: findKubernetes },
  helm: { config: helmConfig, load: async () => (await import('./helm/index.ts')).helm, find: findHelm },
} as const satisfies Record<string, ServiceSlot>;
