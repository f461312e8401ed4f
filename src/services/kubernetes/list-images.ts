// The image inventory: which images run, where, and in how many pods.

import { AppError } from '../../kit/errors.ts';
import type { Answer } from '../../kit/result.ts';
import { type KubeObject, listAt, textAt } from '../../upstream/kubernetes/objects.ts';
import { type ListCall, NARROW, toHead, toQuery } from './list-call.ts';
import { MAX_SCAN } from './scan.ts';

interface Use {
  readonly digests: Set<string>;
  readonly workloads: Set<string>;
  readonly namespaces: Set<string>;
  pods: number;
}

const PAGE = 500;
const MAX_NAMED = 5;

/** Where the pod template of a kind stands. */
const podSpecOf = (object: KubeObject): unknown => {
  const spec = object['spec'];
  const template = (value: unknown): unknown =>
    typeof value === 'object' && value !== null && 'template' in value ? (value.template as { spec?: unknown })?.spec : undefined;
  const jobTemplate =
    typeof spec === 'object' && spec !== null && 'jobTemplate' in spec ? (spec.jobTemplate as { spec?: unknown })?.spec : undefined;
  return template(jobTemplate) ?? template(spec) ?? spec;
};

const ownerOf = (object: KubeObject): string => {
  const owner = listAt(object, 'metadata', 'ownerReferences')[0];
  const name = textAt(owner, 'name') ?? textAt(object, 'metadata', 'name') ?? '';
  const kind = textAt(owner, 'kind') ?? textAt(object, 'kind') ?? '';
  // A ReplicaSet is named after its Deployment and a hash.
  const hash = textAt(object, 'metadata', 'labels', 'pod-template-hash');
  return kind === 'ReplicaSet' && hash !== undefined && name.endsWith(`-${hash}`)
    ? `deployment/${name.slice(0, -hash.length - 1)}`
    : `${kind.toLowerCase()}/${name}`;
};

const addObject = (images: Map<string, Use>, object: KubeObject): void => {
  const digests = new Map(
    [...listAt(object, 'status', 'containerStatuses'), ...listAt(object, 'status', 'initContainerStatuses')].map((status) => [
      textAt(status, 'name'),
      textAt(status, 'imageID')?.split('@')[1],
    ]),
  );
  const spec = podSpecOf(object);
  const seen = new Set<string>();
  for (const container of [...listAt(spec, 'initContainers'), ...listAt(spec, 'containers')]) {
    const image = textAt(container, 'image');
    if (image === undefined) continue;
    const use = images.get(image) ?? { digests: new Set(), workloads: new Set(), namespaces: new Set(), pods: 0 };
    images.set(image, use);
    const digest = digests.get(textAt(container, 'name'));
    if (digest !== undefined) use.digests.add(digest);
    use.workloads.add(ownerOf(object));
    use.namespaces.add(textAt(object, 'metadata', 'namespace') ?? '');
    if (!seen.has(image)) use.pods += 1;
    seen.add(image);
  }
};

const shorten = (names: ReadonlySet<string>): string[] => {
  const all = [...names].sort();
  return all.length > MAX_NAMED ? [...all.slice(0, MAX_NAMED), `+${all.length - MAX_NAMED}`] : all;
};

const toItem = ([image, use]: [string, Use], isPods: boolean): Record<string, unknown> => ({
  image,
  ...(isPods ? { pods: use.pods } : { objects: use.pods }),
  workloads: shorten(use.workloads),
  namespaces: shorten(use.namespaces),
  // More than one digest under one tag is worth knowing; a single one is noise.
  ...(use.digests.size > 1 ? { digests: shorten(use.digests) } : {}),
});

/** Images of pods or workloads, the most used first. */
export const answerImages = async (call: ListCall): Promise<Answer> => {
  const images = new Map<string, Use>();
  let objects = 0;
  const end = await call.client.eachPage(call.resource, { ...toQuery(call), pageSize: PAGE, maxItems: MAX_SCAN }, ({ items }) => {
    for (const object of items) {
      if (call.matches !== undefined && !call.matches(textAt(object, 'metadata', 'name') ?? '')) continue;
      objects += 1;
      addObject(images, object);
    }
  });
  const isComplete = end.continue === undefined;
  if (objects > 0 && images.size === 0) {
    throw new AppError('INVALID_ARGUMENT', `${call.resource.kind} has no containers: list images of pods or workloads.`, {
      details: { argument: 'kind', choices: ['pods', 'deployments', 'statefulsets', 'daemonsets', 'jobs', 'cronjobs'] },
    });
  }
  const all = [...images].sort((a, b) => b[1].pods - a[1].pods || (a[0] < b[0] ? -1 : 1));
  const state = call.ctx.cursor as { skip?: number } | undefined;
  const skip = state?.skip ?? 0;
  const shown = all.slice(skip, skip + call.limit);
  return {
    summary: `${all.length} images in ${isComplete ? '' : 'at least '}${objects} ${call.resource.plural}`,
    head: toHead(call),
    list: {
      key: 'images',
      items: shown.map((entry) => toItem(entry, call.resource.plural === 'pods')),
      optional: ['namespaces'],
      ...(isComplete ? { total: all.length } : { atLeast: all.length, reason: 'scan_limit' as const }),
      resume: { state: { skip }, ...(skip + call.limit < all.length ? { end: { skip: skip + call.limit } } : {}) },
      narrow: NARROW,
    },
  };
};
