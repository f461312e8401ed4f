// kubeconfig files as kubectl reads them: a list of files, the first one wins per name, paths relative to their file.
import { dirname, isAbsolute, resolve } from 'node:path';
import { AppError } from '../kit/errors.ts';
import { type Fields, isFields, toFields, toList, toText, toTexts } from './shapes.ts';

/** A text given in the file, or the path of a file that holds it. Bytes are base64 in the file. */
export interface Material {
  readonly data?: string;
  readonly file?: string;
}

export interface ClusterEntry {
  readonly server: string;
  readonly ca: Material;
  readonly tlsServerName: string | undefined;
  readonly insecure: boolean;
  readonly proxyUrl: string | undefined;
  /** For exec plugins that ask for it (`provideClusterInfo`). */
  readonly execConfig: unknown;
}

export interface ExecEntry {
  readonly apiVersion: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly installHint: string | undefined;
  readonly provideClusterInfo: boolean;
  readonly interactiveMode: string;
}

export interface UserEntry {
  readonly cert: Material;
  readonly key: Material;
  readonly token: string | undefined;
  readonly tokenFile: string | undefined;
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly exec: ExecEntry | undefined;
  readonly authProvider: { readonly name: string; readonly config: Fields } | undefined;
  readonly impersonate: Impersonation | undefined;
}

/** Another identity in whose name the configured one acts. */
export interface Impersonation {
  readonly user: string;
  readonly uid?: string | undefined;
  readonly groups?: readonly string[] | undefined;
  readonly extra?: Readonly<Record<string, readonly string[]>> | undefined;
}

export interface ContextEntry {
  readonly cluster: string;
  readonly user: string;
  readonly namespace: string | undefined;
}

interface Sourced<T> {
  readonly value: T;
  readonly source: string;
}

export interface Kubeconfig {
  readonly current: string | undefined;
  readonly clusters: ReadonlyMap<string, Sourced<ClusterEntry>>;
  readonly users: ReadonlyMap<string, Sourced<UserEntry>>;
  readonly contexts: ReadonlyMap<string, Sourced<ContextEntry>>;
}

/** Reads one file's text. Throws INVALID_ARGUMENT that names the file and never repeats its text. */
export const parseKubeconfig = async (text: string, { file }: { file: string }): Promise<Kubeconfig> => {
  const config = await parseRoot(text, { file });
  const toPath = (path: string) => (isAbsolute(path) ? path : resolve(dirname(file), path));
  return {
    current: toText(config['current-context']),
    clusters: toEntries(config['clusters'], 'cluster', file, (fields) => toCluster(fields, toPath)),
    users: toEntries(config['users'], 'user', file, (fields) => toUser(fields, toPath)),
    contexts: toEntries(config['contexts'], 'context', file, toContext),
  };
};

const parseRoot = async (text: string, { file }: { file: string }): Promise<Fields> => {
  const { parse } = await import('yaml');
  let root: unknown;
  try {
    // Pretty errors would quote the offending line, which may be a token.
    root = parse(text, { prettyErrors: false, logLevel: 'error' });
  } catch {
    root = undefined;
  }
  if (isFields(root)) return root;
  // An empty file is a kubeconfig without entries.
  if (root === null) return {};
  throw new AppError('INVALID_ARGUMENT', `The kubeconfig file ${file} is not a mapping in YAML or JSON.`, {
    details: { service: 'kubernetes', reason: 'KUBECONFIG_INVALID' },
  });
};

/** Several files as one: per name the first wins, and so does the first current context. */
export const mergeKubeconfigs = (configs: readonly Kubeconfig[]): Kubeconfig => {
  const backwards = configs.toReversed();
  return {
    current: configs.find(({ current }) => current !== undefined)?.current,
    clusters: new Map(backwards.flatMap(({ clusters }) => [...clusters])),
    users: new Map(backwards.flatMap(({ users }) => [...users])),
    contexts: new Map(backwards.flatMap(({ contexts }) => [...contexts])),
  };
};

/** Within a file, too, the first of equal names counts. */
const toEntries = <T>(list: unknown, key: string, source: string, convert: (fields: Fields) => T): Map<string, Sourced<T>> => {
  const entries = new Map<string, Sourced<T>>();
  for (const item of toList(list).map(toFields)) {
    const name = toText(item['name']);
    if (name !== undefined && !entries.has(name)) entries.set(name, { value: convert(toFields(item[key])), source });
  }
  return entries;
};

const toContext = (fields: Fields): ContextEntry => ({
  cluster: toText(fields['cluster']) ?? '',
  user: toText(fields['user']) ?? '',
  namespace: toText(fields['namespace']),
});

const toCluster = (fields: Fields, toPath: (path: string) => string): ClusterEntry => ({
  server: toText(fields['server']) ?? '',
  ca: toMaterial(fields, 'certificate-authority', toPath),
  tlsServerName: toText(fields['tls-server-name']),
  insecure: fields['insecure-skip-tls-verify'] === true,
  proxyUrl: toText(fields['proxy-url']),
  execConfig: toList(fields['extensions'])
    .map(toFields)
    .find(({ name }) => name === 'client.authentication.k8s.io/exec')?.['extension'],
});

const toUser = (fields: Fields, toPath: (path: string) => string): UserEntry => {
  const tokenFile = toText(fields['tokenFile']);
  const provider = toFields(fields['auth-provider']);
  const providerName = toText(provider['name']);
  return {
    cert: toMaterial(fields, 'client-certificate', toPath),
    key: toMaterial(fields, 'client-key', toPath),
    token: toText(fields['token']),
    tokenFile: tokenFile === undefined ? undefined : toPath(tokenFile),
    username: toText(fields['username']),
    password: toText(fields['password']),
    exec: toExec(fields['exec'], toPath),
    authProvider: providerName === undefined ? undefined : { name: providerName, config: toFields(provider['config']) },
    impersonate: toImpersonation(fields),
  };
};

const toImpersonation = (fields: Fields): Impersonation | undefined => {
  const user = toText(fields['as']);
  if (user === undefined) return undefined;
  const extra = Object.entries(toFields(fields['as-user-extra'])).map(([key, values]) => [key, toTexts(values)] as const);
  return { user, uid: toText(fields['as-uid']), groups: toTexts(fields['as-groups']), extra: Object.fromEntries(extra) };
};

/** Data wins over a file, as in kubectl. */
const toMaterial = (fields: Fields, key: string, toPath: (path: string) => string): Material => {
  const data = toText(fields[`${key}-data`]);
  const file = toText(fields[key]);
  if (data !== undefined) return { data: Buffer.from(data, 'base64').toString() };
  return file === undefined ? {} : { file: toPath(file) };
};

const toExec = (value: unknown, toPath: (path: string) => string): ExecEntry | undefined => {
  const fields = toFields(value);
  const command = toText(fields['command']);
  if (command === undefined) return undefined;
  const env = toList(fields['env'])
    .map(toFields)
    .map(({ name, value: text }) => [String(name), String(text ?? '')] as const);
  return {
    apiVersion: toText(fields['apiVersion']) ?? '',
    // A bare name is looked up in PATH; with a slash it is a path beside the file.
    command: command.includes('/') ? toPath(command) : command,
    args: toTexts(fields['args']),
    env: Object.fromEntries(env),
    installHint: toText(fields['installHint']),
    provideClusterInfo: fields['provideClusterInfo'] === true,
    interactiveMode: toText(fields['interactiveMode']) ?? 'IfAvailable',
  };
};
