// What is wrong with a chart and the values for it, beside the schema: from rendered objects where the binary renders, else from templates.

import { fieldsAt, listAt, mapAt, textAt } from '../../../upstream/kubernetes/objects.ts';
import { imagesOf, type ManifestObject } from '../release/manifest.ts';
import { whyRemoved } from '../release/removed-apis.ts';
import { type Chart, guessImages } from './chart.ts';
import type { Finding } from './schema.ts';

const WORKLOADS = ['Deployment', 'StatefulSet', 'DaemonSet', 'Job', 'CronJob', 'Pod', 'ReplicaSet'];

const isFloating = (image: string): boolean => !image.includes('@sha256:') && (/:latest$/.test(image) || !/:[^/]+$/.test(image));

const floating = (images: readonly string[], path: string): Finding[] =>
  images
    .filter(isFloating)
    .map((image) => ({ level: 'warning', path, message: `${image} has no fixed tag: what runs may change without a release` }));

const podSpecOf = ({ kind, object }: ManifestObject) => {
  if (kind === 'Pod') return fieldsAt(object, 'spec');
  if (kind === 'CronJob') return fieldsAt(object, 'spec', 'jobTemplate', 'spec', 'template', 'spec');
  return fieldsAt(object, 'spec', 'template', 'spec');
};

const lintObject = (one: ManifestObject): Finding[] => {
  const { ref, apiVersion, kind, object } = one;
  const removed = whyRemoved(apiVersion, kind);
  const containers = WORKLOADS.includes(kind) ? listAt(podSpecOf(one), 'containers') : [];
  const unsized = containers.filter((container) => Object.keys(mapAt(container, 'resources', 'requests')).length === 0);
  return [
    ...(removed === undefined ? [] : [{ level: 'error' as const, path: ref, message: removed }]),
    ...floating(imagesOf(object), ref),
    ...unsized.map((container) => ({
      level: 'warning' as const,
      path: ref,
      message: `container ${textAt(container, 'name') ?? ''} requests no CPU or memory`,
    })),
  ];
};

export const lintObjects = (objects: readonly ManifestObject[]): Finding[] => objects.flatMap(lintObject);

/** Without rendering: what the text of the templates says. */
export const lintTemplates = (chart: Chart): Finding[] => {
  const removed = [...chart.files]
    .filter(([path]) => path.startsWith('templates/'))
    .flatMap(([path, body]) =>
      body
        .toString('utf8')
        .split(/^---/m)
        .flatMap((part) => {
          const apiVersion = /^apiVersion:\s*["']?([a-z0-9./]+)["']?\s*$/m.exec(part)?.[1];
          const kind = /^kind:\s*["']?([A-Za-z]+)["']?\s*$/m.exec(part)?.[1];
          const why = apiVersion === undefined || kind === undefined ? undefined : whyRemoved(apiVersion, kind);
          return why === undefined ? [] : [{ level: 'error' as const, path, message: why }];
        }),
    );
  return [...removed, ...floating(guessImages(chart), 'images (guessed)')];
};

/** Lines of `helm lint`: `[ERROR] templates/: ...`. */
export const parseLint = (text: string): Finding[] =>
  [...text.matchAll(/^\[(INFO|WARNING|ERROR)\]\s+(?:(\S+):\s)?(.*)$/gm)].map(([, level = '', path = '', message = '']) => ({
    level: level.toLowerCase() as Finding['level'],
    path,
    message: message.slice(0, 400),
  }));
