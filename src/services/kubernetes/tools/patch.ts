// kubernetes_patch_resource: a merge, strategic merge or JSON patch of one object or subresource.

import { z } from 'zod';
import { AppError } from '../../../kit/errors.ts';
import { namespace } from '../../../kit/params.ts';
import type { ApiResource, Subresource } from '../../../upstream/kubernetes/discovery.ts';
import { isObject } from '../../../upstream/kubernetes/objects.ts';
import { resourceName } from '../../../upstream/kubernetes/resources.ts';
import { changeObjects } from '../changes/define.ts';
import { learnPatch } from '../changes/learn.ts';
import { planPatch } from '../changes/patching.ts';
import { toPlan } from '../changes/plan-one.ts';

const input = z.object({
  kind: z
    .string()
    .min(1)
    .max(200)
    .describe('Kind, plural, short name, deployments.apps, or group/version/Kind; with a subresource: deployments/status.'),
  name: z.string().min(1).max(253).describe('Exact name.'),
  namespace,
  patch: z.unknown().meta({ description: 'An object; a list of operations for json. May be left out with apply.' }),
  patchType: z
    .enum(['strategic', 'merge', 'json'])
    .default('merge')
    .describe('merge (RFC 7386), json (RFC 6902), or strategic (built-in kinds only).'),
});

const toCount = (fields: number): string => (fields === 0 ? '' : `: ${fields} field${fields === 1 ? '' : 's'}`);

type PatchType = z.infer<typeof input>['patchType'];

const refuse = (message: string, expected: string): AppError =>
  new AppError('INVALID_ARGUMENT', message, { details: { argument: 'patch', expected } });

const parse = (patch: unknown): unknown => {
  if (typeof patch !== 'string') return patch;
  try {
    return JSON.parse(patch);
  } catch {
    throw refuse('The patch is no JSON.', 'an object, or a list of operations');
  }
};

const readPatch = (given: unknown, patchType: PatchType): unknown => {
  const patch = parse(given);
  if (patch === undefined || patch === null)
    throw refuse('A patch is needed.', patchType === 'json' ? 'a list of operations' : 'an object');
  if (patchType === 'json') {
    if (Array.isArray(patch)) return patch;
    throw refuse('A json patch is a list of operations.', '[{"op": "replace", "path": "/spec/replicas", "value": 3}]');
  }
  if (isObject(patch)) {
    if (patch['metadata'] === undefined || isObject(patch['metadata'])) return patch;
    throw refuse('metadata of a patch is an object.', '{"metadata": {"labels": {"tier": "web"}}}');
  }
  throw refuse('A patch is an object.', '{"spec": {"replicas": 3}}');
};

/**
 * Parts of objects are patched where discovery says so. What only connects (proxy, exec) would carry the request on to a pod or a kubelet, which knows
 * nothing of dry runs.
 */
const isPatchable = ({ kind, verbs }: Subresource): boolean => verbs.includes('patch') && !kind.endsWith('Options');

const refuseUnpatchable = (resource: ApiResource, wanted: string): void => {
  const names = resource.subresources.filter(isPatchable).map(({ name }) => name);
  if (names.includes(wanted)) return;
  throw new AppError('INVALID_ARGUMENT', `${resourceName(resource)}/${wanted} cannot be patched.`, {
    details: { argument: 'kind', choices: names.map((name) => `${resourceName(resource)}/${name}`) },
  });
};

export default [
  changeObjects({
    name: 'kubernetes_patch_resource',
    title: 'Patch resource',
    description: 'Patches one object: labels, image, env, any field.',
    effect: 'write',
    input,
    bulky: ['patch'],
    async plan(args, work) {
      const { client, ctx } = work;
      const { name, patchType } = args;
      const patch = readPatch(args.patch, patchType);
      const { resource, subresource } = await client.resolveKind(args.kind, ctx);
      if (subresource !== undefined) refuseUnpatchable(resource, subresource);
      const scope = resource.namespaced ? (args.namespace ?? client.defaultNamespace) : undefined;
      const before = await client.get(resource, { name, namespace: scope, subresource, signal: ctx.signal });
      learnPatch(patch, { ...before, kind: resource.kind }, work.service);
      const planned = await planPatch(work, { resource, subresource, namespace: scope, name, before }, { patchType, patch });
      const title = `${planned.step.title}${subresource === undefined ? '' : ` (${subresource})`}`;
      return toPlan(work, {
        planned,
        summary: `Patch ${title}${toCount(planned.diff.length)}`,
        done: `${title} patched`,
        verify: resourceName(resource) === 'deployments.apps' ? 'its rollout is complete' : 'the fields are as planned',
        how: 'put the fields back',
      });
    },
  }),
];
