// Resources of the platform service; each is a tool call under another name.

import type { FixedResource } from '../../kit/service.ts';

export const resources: readonly FixedResource[] = [
  {
    uri: 'platform://status',
    name: 'platform-status',
    title: 'Status',
    description: 'Connected services and their health.',
    mimeType: 'text/plain',
    tool: 'platform_status',
    toArguments: () => ({}),
  },
  {
    uri: 'platform://clusters',
    name: 'platform-clusters',
    title: 'Clusters',
    description: 'Configured environments and whether they are reachable.',
    mimeType: 'text/plain',
    tool: 'platform_status',
    toArguments: () => ({ view: 'clusters' }),
  },
];
