// Which clusters there are, read once: the contexts of the operator's kubeconfig files, or the pod's own account.
import { readFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { AppError } from '../kit/errors.ts';
import { signFile } from '../kit/sign-file.ts';
import { type ClusterEntry, type Kubeconfig, mergeKubeconfigs, parseKubeconfig, type UserEntry } from './kubeconfig.ts';
import type { Clock, Logger } from './ports.ts';
import type { Environment } from './proxy.ts';

/** One cluster and one login. Carries nothing secret: it may be logged and shown. */
export interface KubeTarget {
  /** The context's name; `in-cluster` for the pod's own account. */
  readonly name: string;
  /** Host and port of the API server. */
  readonly server: string;
  readonly namespace: string | undefined;
  readonly cluster: string;
  readonly user: string;
  /** The file it comes from. */
  readonly source: string;
}

export interface TargetDefinition {
  readonly cluster: ClusterEntry;
  readonly user: UserEntry;
}

export interface TargetOptions {
  /** The operator's choice of a file (or a list of files); wins over `KUBECONFIG`. */
  readonly kubeconfig?: string | undefined;
  /** Read are KUBECONFIG, HOME, KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT. */
  readonly env: Environment;
  readonly now: Clock;
  readonly logger: Logger;
  readonly serviceAccountFolder?: string;
}

export interface FileState {
  readonly path: string;
  readonly signature: string;
  readonly config: Kubeconfig | undefined;
  readonly problem: AppError | undefined;
}

export interface Snapshot {
  readonly isConfigured: boolean;
  readonly targets: readonly KubeTarget[];
  readonly current: string | undefined;
  readonly problems: readonly AppError[];
  readonly files: readonly FileState[];
}

/** The signature of a file that is not there. */
const ABSENT = '';

const definitions = new WeakMap<KubeTarget, TargetDefinition | AppError>();

/** What a target stands for, credentials included. Throws when its context names what the files do not have. */
export const definitionOf = (target: KubeTarget): TargetDefinition => {
  const definition = definitions.get(target);
  if (definition instanceof AppError) throw definition;
  if (definition === undefined) throw new AppError('INTERNAL', `The target ${target.name} does not come from a kubeconfig.`);
  return definition;
};

/** Reads all files; what was read before keeps its objects where nothing has changed. Never throws. */
export const readSnapshot = async (options: TargetOptions, before: Snapshot | undefined): Promise<Snapshot> => {
  const { paths, isNamed } = findPaths(options);
  const all = await Promise.all(
    paths.map((path) =>
      readOne(
        path,
        before?.files.find((file) => file.path === path),
      ),
    ),
  );
  // The default file need not exist; it is still watched, because a login may create it.
  const problems = all.flatMap(({ problem, signature }) => (problem === undefined || (signature === ABSENT && !isNamed) ? [] : [problem]));
  const configs = all.flatMap(({ config }) => (config === undefined ? [] : [config]));
  const merged = mergeKubeconfigs(configs);
  if (!isNamed && problems.length === 0 && merged.contexts.size === 0) return { ...(await readInCluster(options, before)), files: all };
  const targets = [...merged.contexts.keys()].map((name) => reuse(toTarget(name, merged), before));
  return { isConfigured: true, targets, current: merged.current, problems, files: all };
};

const findPaths = ({ kubeconfig, env }: TargetOptions): { paths: string[]; isNamed: boolean } => {
  const home = env['HOME'];
  const named = kubeconfig || env['KUBECONFIG'];
  const expand = (path: string) => (path.startsWith('~/') && home !== undefined ? join(home, path.slice(2)) : path);
  const paths = (named ?? '').split(delimiter).filter((path) => path !== '');
  if (paths.length > 0) return { paths: [...new Set(paths.map(expand))], isNamed: true };
  return { paths: home === undefined || home === '' ? [] : [join(home, '.kube', 'config')], isNamed: false };
};

const readOne = async (path: string, before: FileState | undefined): Promise<FileState> => {
  const signature = await signFile(path);
  try {
    return { path, signature, config: await parseKubeconfig(await readFile(path, 'utf8'), { file: path }), problem: undefined };
  } catch (error) {
    const problem = error instanceof AppError ? error : toUnreadable(path, error);
    // A file caught half-written keeps its last good state; one that is gone, is gone.
    return { path, signature, problem, config: signature === ABSENT ? undefined : before?.config };
  }
};

const toUnreadable = (path: string, error: unknown): AppError => {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const why =
    code === 'ENOENT'
      ? 'it does not exist'
      : code === 'EACCES'
        ? 'this process may not read it'
        : code === 'EISDIR'
          ? 'it is a folder'
          : 'it cannot be read';
  return new AppError('SERVICE_UNAVAILABLE', `The kubeconfig file ${path} is of no use: ${why}.`, {
    details: { service: 'kubernetes', setting: 'kubernetes.kubeconfig', reason: 'KUBECONFIG_UNREADABLE', retry_after: '30s' },
    cause: error,
  });
};

interface Candidate {
  readonly target: KubeTarget;
  readonly definition: TargetDefinition | AppError;
}

/** The object of before for a target that is still the same: its connections go on. */
const reuse = ({ target, definition }: Candidate, before: Snapshot | undefined): KubeTarget => {
  const old = before?.targets.find(({ name }) => name === target.name);
  if (old !== undefined && isDeepStrictEqual(old, target) && isSameDefinition(definitions.get(old), definition)) return old;
  definitions.set(target, definition);
  return target;
};

const isSameDefinition = (a: TargetDefinition | AppError | undefined, b: TargetDefinition | AppError): boolean =>
  a instanceof AppError || b instanceof AppError
    ? a instanceof AppError && b instanceof AppError && a.message === b.message
    : isDeepStrictEqual(a, b);

const toTarget = (name: string, config: Kubeconfig): Candidate => {
  const context = config.contexts.get(name);
  const { cluster = '', user = '', namespace } = context?.value ?? {};
  const clusterEntry = config.clusters.get(cluster)?.value;
  // A context without a user is anonymous; one with a user that is nowhere defined is a mistake.
  const userEntry = user === '' ? NO_USER : config.users.get(user)?.value;
  const lacks = clusterEntry === undefined ? `cluster "${cluster}"` : `user "${user}"`;
  const definition =
    clusterEntry === undefined || userEntry === undefined
      ? new AppError('SERVICE_UNAVAILABLE', `The kubeconfig context ${name} names the ${lacks}, which is not defined.`, {
          details: { service: 'kubernetes', setting: 'kubernetes.kubeconfig', reason: 'KUBECONFIG_INCOMPLETE', retry_after: '30s' },
        })
      : { cluster: clusterEntry, user: userEntry };
  return { target: { name, server: toHost(clusterEntry?.server), namespace, cluster, user, source: context?.source ?? '' }, definition };
};

const toHost = (server = ''): string => (URL.canParse(server) ? new URL(server).host : '');

const NO_USER: UserEntry = {
  cert: {},
  key: {},
  token: undefined,
  tokenFile: undefined,
  username: undefined,
  password: undefined,
  exec: undefined,
  authProvider: undefined,
  impersonate: undefined,
};

const DEFAULT_ACCOUNT_FOLDER = '/var/run/secrets/kubernetes.io/serviceaccount';

const readInCluster = async ({ env, serviceAccountFolder = DEFAULT_ACCOUNT_FOLDER }: TargetOptions, before: Snapshot | undefined) => {
  const host = env['KUBERNETES_SERVICE_HOST'];
  const port = env['KUBERNETES_SERVICE_PORT'];
  const token = join(serviceAccountFolder, 'token');
  if (!host || !port || (await signFile(token)) === ABSENT) return { isConfigured: false, targets: [], current: undefined, problems: [] };
  const namespace = await readFile(join(serviceAccountFolder, 'namespace'), 'utf8').catch(() => '');
  const server = `https://${host.includes(':') ? `[${host}]` : host}:${port}`;
  const name = 'in-cluster';
  const cluster: ClusterEntry = {
    server,
    ca: { file: join(serviceAccountFolder, 'ca.crt') },
    tlsServerName: undefined,
    insecure: false,
    proxyUrl: undefined,
    execConfig: undefined,
  };
  const target: KubeTarget = {
    name,
    server: toHost(server),
    namespace: namespace.trim() || undefined,
    cluster: name,
    user: name,
    source: serviceAccountFolder,
  };
  const definition = { cluster, user: { ...NO_USER, tokenFile: token } };
  return { isConfigured: true, targets: [reuse({ target, definition }, before)], current: name, problems: [] };
};
