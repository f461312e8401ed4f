// Which field of a pod's spec names an object: a ConfigMap, a Secret, a claim.

import { type Fields, listAt, textAt } from '../../../upstream/kubernetes/objects.ts';

export interface Named {
  readonly kind: 'configmap' | 'secret' | 'persistentvolumeclaim' | 'serviceaccount';
  readonly name: string;
  /** A key of it, where that is what is missing. */
  readonly key?: string | undefined;
}

const VOLUME_PATHS: Readonly<Record<Named['kind'], readonly (readonly [string, string])[]>> = {
  configmap: [['configMap', 'name']],
  secret: [['secret', 'secretName']],
  persistentvolumeclaim: [['persistentVolumeClaim', 'claimName']],
  serviceaccount: [],
};

const REFS: Readonly<Record<string, readonly [string, string]>> = {
  configmap: ['configMapRef', 'configMapKeyRef'],
  secret: ['secretRef', 'secretKeyRef'],
};

/** Parses the kubelet's and the scheduler's words: `configmap "x" not found`, `couldn't find key K in ConfigMap ns/x`. */
export const parseMissing = (message: string): Named | undefined => {
  const [, key, holder = '', held = ''] = /couldn't find key (\S+) in (ConfigMap|Secret) \S*?\/?([^\s/]+)$/i.exec(message) ?? [];
  if (key !== undefined) return { kind: holder.toLowerCase() as Named['kind'], name: held, key };
  const [, kind, name] = /(configmap|secret|persistentvolumeclaim|serviceaccount) "([^"]+)" not found/i.exec(message) ?? [];
  return kind === undefined || name === undefined ? undefined : { kind: kind.toLowerCase() as Named['kind'], name };
};

const inVolumes = (spec: Fields, { kind, name }: Named): string | undefined =>
  listAt(spec, 'volumes')
    .flatMap((volume) =>
      VOLUME_PATHS[kind].flatMap(([source, field]) =>
        textAt(volume, source, field) === name ? [`volumes[?name=${textAt(volume, 'name')}].${source}.${field}`] : [],
      ),
    )
    .at(0);

const inProjected = (spec: Fields, { kind, name }: Named): string | undefined => {
  const source = kind === 'configmap' ? 'configMap' : 'secret';
  for (const volume of listAt(spec, 'volumes')) {
    const index = listAt(volume, 'projected', 'sources').findIndex((one) => textAt(one, source, 'name') === name);
    if (index >= 0) return `volumes[?name=${textAt(volume, 'name')}].projected.sources[${index}].${source}.name`;
  }
  return undefined;
};

const inContainers = (spec: Fields, { kind, name, key }: Named): string | undefined => {
  const [whole, single] = REFS[kind] ?? [];
  if (whole === undefined || single === undefined) return undefined;
  for (const list of ['initContainers', 'containers'])
    for (const container of listAt(spec, list)) {
      const own = `${list}[?name=${textAt(container, 'name')}]`;
      const variable = listAt(container, 'env').find(
        ({ valueFrom }) => textAt(valueFrom, single, 'name') === name && (key === undefined || textAt(valueFrom, single, 'key') === key),
      );
      if (variable !== undefined)
        return `${own}.env[?name=${textAt(variable, 'name')}].valueFrom.${single}.${key === undefined ? 'name' : 'key'}`;
      const index = listAt(container, 'envFrom').findIndex((one) => textAt(one, whole, 'name') === name);
      if (index >= 0 && key === undefined) return `${own}.envFrom[${index}].${whole}.name`;
    }
  return undefined;
};

/** Path below the pod's spec; undefined when nothing there names it. */
export const fieldNaming = (spec: Fields, named: Named): string | undefined =>
  named.kind === 'serviceaccount'
    ? 'serviceAccountName'
    : (inContainers(spec, named) ??
      inVolumes(spec, named) ??
      (named.kind === 'persistentvolumeclaim' ? undefined : inProjected(spec, named)));
