// What is connected, how it feels, and what the caller may do.

import { z } from 'zod';
import type { CallContext } from '../../../kit/context.ts';
import type { ServiceStatus } from '../../../kit/directory.ts';
import { toTimestamp } from '../../../kit/duration.ts';
import { AppError } from '../../../kit/errors.ts';
import { nearestNames } from '../../../kit/nearest.ts';
import type { Answer } from '../../../kit/result.ts';
import { tool } from '../../../kit/tool.ts';

const VIEWS = ['summary', 'detail', 'access', 'clusters'] as const;

const toRow = ({ title: _, details, since, lastError, ...row }: ServiceStatus, withDetails: boolean): Record<string, unknown> => ({
  ...row,
  ...(withDetails && details !== undefined ? { details } : {}),
  ...(withDetails && since !== undefined ? { since } : {}),
  ...(withDetails && lastError !== undefined ? { lastError } : {}),
});

const readServices = async (service: string | undefined, ctx: CallContext): Promise<readonly ServiceStatus[]> => {
  const names = ctx.directory.serviceNames();
  if (service !== undefined && !names.includes(service)) {
    throw new AppError('INVALID_ARGUMENT', `There is no service ${service}.`, {
      details: { argument: 'service', nearest: nearestNames(service, names), choices: names },
    });
  }
  return ctx.directory.status(ctx.signal, service);
};

const summarize = (statuses: readonly ServiceStatus[]): string => {
  const up = statuses.filter(({ state }) => state === 'up').length;
  const bad = statuses.filter(({ state }) => state === 'down' || state === 'degraded').map(({ service, state }) => `${service} ${state}`);
  return `${up} of ${statuses.length} services up${bad.length > 0 ? `; ${bad.join(', ')}` : ''}`;
};

const answerServices = async (service: string | undefined, view: 'summary' | 'detail', ctx: CallContext): Promise<Answer> => {
  const statuses = await readServices(service, ctx);
  const { profile, mode, limits } = ctx.directory;
  return {
    summary: summarize(statuses),
    head: { profile, mode, serverTime: toTimestamp(ctx.now()), ...(view === 'detail' ? { limits } : {}) },
    list: { key: 'services', items: statuses.map((status) => toRow(status, view === 'detail')), total: statuses.length },
  };
};

const answerClusters = async (ctx: CallContext): Promise<Answer> => {
  const clusters = await ctx.directory.clusters(ctx.signal);
  return {
    summary: `${clusters.filter(({ reachable }) => reachable === true).length} of ${clusters.length} clusters reachable`,
    list: { key: 'clusters', items: clusters.map(({ identity: _, ...row }) => row), total: clusters.length },
    ...(clusters.length === 0
      ? { empty: { reason: 'not_configured', detail: 'No cluster is configured: set kubernetes.kubeconfig or KUBECONFIG.' } }
      : {}),
  };
};

const EFFECTS = { read: ['read'], write: ['read', 'write'], delete: ['read', 'write', 'delete'] } as const;

const answerAccess = async (ctx: CallContext): Promise<Answer> => {
  const clusters = await ctx.directory.clusters(ctx.signal);
  const { mode, profile } = ctx.directory;
  return {
    summary: `mode ${mode}: allowed effects ${EFFECTS[mode].join(', ')}`,
    head: { caller: ctx.caller.id, scopes: ctx.caller.scopes, mode, profile, allowedEffects: EFFECTS[mode] },
    sections: [
      {
        key: 'identities',
        value: clusters.map(({ name, identity, reason }) => ({ cluster: name, ...(identity ?? { unknown: reason ?? 'not reachable' }) })),
      },
      { key: 'rules', value: ctx.directory.rules() },
      { key: 'hiddenTools', value: ctx.directory.hidden() },
    ],
  };
};

export default [
  tool<undefined, z.core.$ZodLooseShape>({
    name: 'platform_status',
    title: 'Status',
    description: 'Shows connected services, their health, clusters and what you may do. Call first, or when a service fails.',
    effect: 'read',
    input: z.object({
      service: z.string().min(1).max(60).optional().describe('One service; absent = all.'),
      view: z.enum(VIEWS).default('summary').describe('access = identity and rights; clusters = configured environments.'),
    }),
    output: z.object({
      services: z.array(z.record(z.string(), z.unknown())),
      clusters: z.array(z.record(z.string(), z.unknown())),
      profile: z.string(),
      mode: z.string(),
      serverTime: z.string(),
      limits: z.record(z.string(), z.unknown()),
      caller: z.string(),
      scopes: z.array(z.string()),
      allowedEffects: z.array(z.string()),
      identities: z.array(z.record(z.string(), z.unknown())),
      rules: z.array(z.record(z.string(), z.unknown())),
      hiddenTools: z.array(z.object({ tool: z.string(), why: z.string() })),
    }),
    run: async (args, _, ctx) => {
      const { service, view } = args as { service?: string; view: (typeof VIEWS)[number] };
      if (view === 'clusters') return answerClusters(ctx);
      if (view === 'access') return answerAccess(ctx);
      return answerServices(service, view, ctx);
    },
  }),
];
