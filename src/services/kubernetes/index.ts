// The Kubernetes service.

import { defineService } from '../../kit/service.ts';
import { kubernetesConfig } from './config.ts';

export const kubernetes = defineService({
  name: 'kubernetes',
  title: 'Kubernetes',
  config: kubernetesConfig,
  tools: [],
  connect: () => undefined,
  ping: async () => ({ state: 'up' }),
});
