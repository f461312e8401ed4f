// What the containers and volumes of a pod specification must fulfil, as far as clients run into it (kubernetes, pkg/apis/core/validation).
import { isObject, type JsonObject, listAt, objectsAt, textAt } from './json.ts';
import type { FieldError } from './status.ts';

const required = (field: string): FieldError => ({ reason: 'FieldValueRequired', message: 'Required value', field });

const envFaults = (container: JsonObject, place: string): FieldError[] =>
  objectsAt(container, 'env').flatMap((variable, index) => {
    const field = `${place}.env[${index}]`;
    if (textAt(variable, 'name') === '') return [required(`${field}.name`)];
    if (!isObject(variable['valueFrom']) || textAt(variable, 'value') === '') return [];
    const message = 'Invalid value: "": may not be specified when `value` is not empty';
    return [{ reason: 'FieldValueInvalid', message, field: `${field}.valueFrom` }];
  });

/** The second and all further items of a name. */
const twice = (items: readonly JsonObject[], place: string): FieldError[] => {
  const seen = new Set<string>();
  return items.flatMap((item, index) => {
    const name = textAt(item, 'name');
    const isKnown = seen.has(name);
    seen.add(name);
    if (!isKnown || name === '') return [];
    return [{ reason: 'FieldValueDuplicate', message: `Duplicate value: ${JSON.stringify(name)}`, field: `${place}[${index}].name` }];
  });
};

/** The kinds of volumes in the order in which they are looked at. */
const VOLUME_KINDS = [
  ...['emptyDir', 'hostPath', 'gitRepo', 'gcePersistentDisk', 'awsElasticBlockStore', 'secret', 'nfs', 'iscsi', 'glusterfs', 'flocker'],
  ...['persistentVolumeClaim', 'rbd', 'cinder', 'cephfs', 'quobyte', 'downwardAPI', 'fc', 'configMap', 'azureFile', 'vsphereVolume'],
  ...['photonPersistentDisk', 'portworxVolume', 'azureDisk', 'storageos', 'projected', 'scaleIO', 'csi', 'ephemeral', 'image'],
];

const volumeFaults = (spec: JsonObject, path: string): FieldError[] =>
  objectsAt(spec, 'volumes').flatMap((volume, index) => {
    const [, ...others] = VOLUME_KINDS.filter((kind) => isObject(volume[kind]));
    const message = 'Forbidden: may not specify more than 1 volume type';
    return others.map((kind) => ({ reason: 'FieldValueForbidden', message, field: `${path}.volumes[${index}].${kind}` }));
  });

const mountFaults = (spec: JsonObject, container: JsonObject, place: string): FieldError[] => {
  const known = new Set([...objectsAt(spec, 'volumes'), ...objectsAt(container, 'volumeDevices')].map((volume) => textAt(volume, 'name')));
  return objectsAt(container, 'volumeMounts').flatMap((mount, index) => {
    const name = textAt(mount, 'name');
    if (known.has(name)) return [];
    return [{ reason: 'FieldValueNotFound', message: `Not found: ${JSON.stringify(name)}`, field: `${place}.volumeMounts[${index}].name` }];
  });
};

/** Everything that is wrong with the containers and volumes of a pod specification at a path. */
export const containerFaults = (spec: JsonObject, path: string, hasClaims = false): FieldError[] => {
  const volumes = volumeFaults(spec, path);
  if (listAt(spec, 'containers').length === 0) return [...volumes, required(`${path}.containers`)];
  const containers = ['containers', 'initContainers'].flatMap((key) => {
    const items = objectsAt(spec, key);
    const faults = items.flatMap((container, index) => {
      const place = `${path}.${key}[${index}]`;
      return [
        ...(textAt(container, 'name') === '' ? [required(`${place}.name`)] : []),
        ...(textAt(container, 'image') === '' ? [required(`${place}.image`)] : []),
        ...envFaults(container, place),
        // The volumes of a StatefulSet come from its claims, so its mounts are looked at in its pods alone.
        ...(hasClaims ? [] : mountFaults(spec, container, place)),
      ];
    });
    return [...faults, ...twice(items, `${path}.${key}`)];
  });
  return [...volumes, ...containers];
};
