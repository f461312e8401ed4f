// What a simulated container is made of: its environment and its files, from the pod's own specification.
import { at, isTrueAt, type JsonObject, listAt, numberAt, objectAt, objectsAt, textAt } from '../json.ts';
import type { KubernetesObject } from '../object.ts';
import type { ObjectStore } from '../store.ts';

export interface Container {
  readonly pod: KubernetesObject;
  readonly spec: JsonObject;
  readonly hostname: string;
  readonly user: number;
  readonly directory: string;
  /** In the order in which the runtime sets it. */
  readonly environment: ReadonlyMap<string, string>;
  /** Contents by absolute path. */
  readonly files: ReadonlyMap<string, string>;
  /** What runs as process 1. */
  readonly command: string;
}

const decode = (text: string): string => Buffer.from(text, 'base64').toString();

/** The entries of a ConfigMap or a Secret, decoded. */
const entriesOf = (store: ObjectStore, namespace: string, resource: 'configmaps' | 'secrets', name: string): Map<string, string> => {
  const object = store.get(resource, namespace, name);
  const entries = Object.entries(objectAt(object, 'data'));
  return new Map(entries.map(([key, value]) => [key, resource === 'secrets' ? decode(String(value)) : String(value)]));
};

/** A field of the pod by the path of a field reference. */
const fieldOf = (pod: KubernetesObject, path: string): string => {
  const keyed = /^metadata\.(labels|annotations)\['(.+)'\]$/.exec(path);
  if (keyed !== null) return textAt(pod, 'metadata', keyed[1] ?? '', keyed[2] ?? '');
  return String(at(pod, ...path.split('.')) ?? '');
};

const referred = (store: ObjectStore, pod: KubernetesObject, source: JsonObject): string | undefined => {
  const namespace = pod.metadata.namespace ?? '';
  const configMap = objectAt(source, 'configMapKeyRef');
  const secret = objectAt(source, 'secretKeyRef');
  if (textAt(configMap, 'name') !== '')
    return entriesOf(store, namespace, 'configmaps', textAt(configMap, 'name')).get(textAt(configMap, 'key'));
  if (textAt(secret, 'name') !== '') return entriesOf(store, namespace, 'secrets', textAt(secret, 'name')).get(textAt(secret, 'key'));
  const path = textAt(source, 'fieldRef', 'fieldPath');
  return path === '' ? undefined : fieldOf(pod, path);
};

/** `$(NAME)` stands for a variable that was set before. */
const expand = (text: string, known: ReadonlyMap<string, string>): string =>
  text.replace(/\$\$|\$\(([A-Za-z_][A-Za-z0-9_.-]*)\)/g, (whole, name: string | undefined) =>
    name === undefined ? '$' : (known.get(name) ?? whole),
  );

const ownVariables = (store: ObjectStore, pod: KubernetesObject, spec: JsonObject, known: Map<string, string>): void => {
  const namespace = pod.metadata.namespace ?? '';
  for (const source of objectsAt(spec, 'envFrom')) {
    const prefix = textAt(source, 'prefix');
    const [configMap, secret] = [textAt(source, 'configMapRef', 'name'), textAt(source, 'secretRef', 'name')];
    const entries =
      configMap !== '' ? entriesOf(store, namespace, 'configmaps', configMap) : entriesOf(store, namespace, 'secrets', secret);
    for (const [key, value] of [...entries].sort()) known.set(`${prefix}${key}`, value);
  }
  for (const variable of objectsAt(spec, 'env')) {
    const value = referred(store, pod, objectAt(variable, 'valueFrom')) ?? expand(textAt(variable, 'value'), known);
    known.set(textAt(variable, 'name'), value);
  }
};

/** Variables that tell of Services, as links of old Docker did. */
const serviceVariables = (store: ObjectStore, pod: KubernetesObject, known: Map<string, string>): void => {
  const isLinked = at(pod, 'spec', 'enableServiceLinks') !== false;
  const local = isLinked ? store.all('services', pod.metadata.namespace ?? '') : [];
  const api = store.get('services', 'default', 'kubernetes');
  for (const service of [...local.filter((candidate) => candidate !== api), ...(api === undefined ? [] : [api])]) {
    const address = textAt(service, 'spec', 'clusterIP');
    const [first] = objectsAt(service, 'spec', 'ports');
    if (address === '' || address === 'None' || first === undefined) continue;
    const name = service.metadata.name.toUpperCase().replaceAll('-', '_');
    known.set(`${name}_SERVICE_HOST`, address);
    known.set(`${name}_SERVICE_PORT`, String(numberAt(first, 'port')));
    for (const port of objectsAt(service, 'spec', 'ports')) {
      const portName = textAt(port, 'name').toUpperCase().replaceAll('-', '_');
      if (portName !== '') known.set(`${name}_SERVICE_PORT_${portName}`, String(numberAt(port, 'port')));
    }
    const url = (port: JsonObject): string => `${(textAt(port, 'protocol') || 'TCP').toLowerCase()}://${address}:${numberAt(port, 'port')}`;
    known.set(`${name}_PORT`, url(first));
    for (const port of objectsAt(service, 'spec', 'ports')) {
      const protocol = textAt(port, 'protocol') || 'TCP';
      const place = `${name}_PORT_${numberAt(port, 'port')}_${protocol}`;
      known.set(place, url(port));
      known.set(`${place}_PROTO`, protocol.toLowerCase());
      known.set(`${place}_PORT`, String(numberAt(port, 'port')));
      known.set(`${place}_ADDR`, address);
    }
  }
};

const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

const environmentOf = (
  store: ObjectStore,
  pod: KubernetesObject,
  spec: JsonObject,
  hostname: string,
  user: number,
): Map<string, string> => {
  const known = new Map([
    ['PATH', PATH],
    ['HOSTNAME', hostname],
  ]);
  ownVariables(store, pod, spec, known);
  serviceVariables(store, pod, known);
  if (!known.has('HOME')) known.set('HOME', user === 0 ? '/root' : '/');
  return known;
};

/** The files of a volume by relative path: ConfigMaps and Secrets alone have any. */
const volumeFiles = (store: ObjectStore, namespace: string, volume: JsonObject): Map<string, string> => {
  const [configMap, secret] = [textAt(volume, 'configMap', 'name'), textAt(volume, 'secret', 'secretName')];
  const source = objectAt(volume, configMap === '' ? 'secret' : 'configMap');
  const entries =
    configMap !== ''
      ? entriesOf(store, namespace, 'configmaps', configMap)
      : secret === ''
        ? new Map<string, string>()
        : entriesOf(store, namespace, 'secrets', secret);
  const items = objectsAt(source, 'items');
  if (items.length === 0) return entries;
  return new Map(items.map((item) => [textAt(item, 'path'), entries.get(textAt(item, 'key')) ?? '']));
};

const HOSTS = [
  '# Kubernetes-managed hosts file.',
  '127.0.0.1\tlocalhost',
  '::1\tlocalhost ip6-localhost ip6-loopback',
  'fe00::0\tip6-localnet',
  'fe00::0\tip6-mcastprefix',
  'fe00::1\tip6-allnodes',
  'fe00::2\tip6-allrouters',
];

const filesOf = (store: ObjectStore, pod: KubernetesObject, spec: JsonObject, hostname: string): Map<string, string> => {
  const namespace = pod.metadata.namespace ?? '';
  const files = new Map([
    ['/etc/hostname', `${hostname}\n`],
    ['/etc/hosts', `${[...HOSTS, `${textAt(pod, 'status', 'podIP')}\t${hostname}`].join('\n')}\n`],
    ['/etc/resolv.conf', `search ${namespace}.svc.cluster.local svc.cluster.local cluster.local\nnameserver 10.96.0.10\noptions ndots:5\n`],
  ]);
  const volumes = objectsAt(pod, 'spec', 'volumes');
  for (const mount of objectsAt(spec, 'volumeMounts')) {
    const volume = volumes.find((candidate) => candidate['name'] === mount['name']);
    const entries = volume === undefined ? new Map<string, string>() : volumeFiles(store, namespace, volume);
    const [path, part] = [textAt(mount, 'mountPath').replace(/\/$/, ''), textAt(mount, 'subPath')];
    const single = entries.get(part);
    if (part !== '' && single !== undefined) files.set(path, single);
    else if (part === '') for (const [name, content] of entries) files.set(`${path}/${name}`, content);
  }
  return files;
};

const texts = (spec: JsonObject, key: string): string[] => listAt(spec, key).filter((item) => typeof item === 'string');

/** The container of that name as it is now. */
export const openContainer = (store: ObjectStore, pod: KubernetesObject, name: string): Container => {
  const all = ['initContainers', 'containers', 'ephemeralContainers'].flatMap((key) => objectsAt(pod, 'spec', key));
  const spec = all.find((candidate) => candidate['name'] === name) ?? {};
  const isOnHost = isTrueAt(pod, 'spec', 'hostNetwork');
  const hostname = isOnHost ? textAt(pod, 'spec', 'nodeName') : textAt(pod, 'spec', 'hostname') || pod.metadata.name.slice(0, 63);
  const own = at(spec, 'securityContext', 'runAsUser');
  const user = typeof own === 'number' ? own : numberAt(pod, 'spec', 'securityContext', 'runAsUser');
  const command = [...texts(spec, 'command'), ...texts(spec, 'args')].join(' ');
  return {
    pod,
    spec,
    hostname,
    user,
    directory: textAt(spec, 'workingDir') || '/',
    environment: environmentOf(store, pod, spec, hostname, user),
    files: filesOf(store, pod, spec, hostname),
    command: command === '' ? `/${name}` : command,
  };
};
