/** The programs of a Kubernetes cluster: where they lie once built, and how they are built from the Go module proxy. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { mustRun } from '../command.ts';
import { findProgram, requirePrograms, type SystemProgram } from '../debian.ts';
import { cacheFolder } from '../folders.ts';
import { describeModule, goBuild, goInstall, moduleSource, moduleVersions, requireGo } from '../go.ts';
import { withLock } from '../lock.ts';
import { say } from '../log.ts';

export const DEFAULT_VERSION = '1.37.2';

/** Versions of the programs that are the same for every Kubernetes. */
const KWOK = 'v0.8.0';
const HELM = { helm3: 'v3.21.4', helm4: 'v4.2.4' } as const;
const METRICS_SERVER = 'v0.9.0';

const API_PROGRAMS = ['kube-apiserver', 'kubectl'] as const;
const CLUSTER_PROGRAMS = [...API_PROGRAMS, 'kube-controller-manager', 'kube-scheduler', 'kubelet', 'kube-proxy'] as const;

/** Where each program of one version lies. */
export interface Programs {
  readonly version: string;
  readonly minor: number;
  readonly apiServer: string;
  readonly controllerManager: string;
  readonly scheduler: string;
  readonly kubectl: string;
  readonly kubelet: string;
  readonly kubeProxy: string;
  readonly etcd: string;
  readonly kwok: string;
  /** kwok's resource definitions, and the stages that give its pods and nodes a life: manifests. */
  readonly kwokDefinitions: string;
  readonly kwokStages: string;
  readonly helm3: string;
  readonly helm4: string;
  readonly metricsServer: string;
}

/** What is wanted: a whole cluster with a real node, or an API server alone. */
export type Extent = 'cluster' | 'api';

const OPENSSL: SystemProgram = { package: 'openssl', anyOf: ['openssl'] };

/** What a real node and the certificates need from the system. */
const NODE_PROGRAMS: readonly SystemProgram[] = [
  { package: 'containerd', anyOf: ['containerd'] },
  { package: 'runc', anyOf: ['runc'] },
  { package: 'containernetworking-plugins', anyOf: ['/usr/lib/cni/bridge', '/opt/cni/bin/bridge'] },
  { package: 'busybox-static', anyOf: ['busybox'] },
  { package: 'iptables', anyOf: ['iptables'] },
  { package: 'iproute2', anyOf: ['ip'] },
];

/** The folder of the network plugins, which distributions put in different places. */
export function networkPluginFolder(): string {
  const bridge = findProgram('/usr/lib/cni/bridge', '/opt/cni/bin/bridge');
  if (bridge === undefined) throw new Error('the network plugins (containernetworking-plugins) are missing');
  return join(bridge, '..');
}

/** The programs of a version (`1.37.2`, or a minor such as `1.34`: the newest patch that was built); they may not exist yet. */
export function programsOf(version: string = DEFAULT_VERSION): Programs {
  return describe(isFull(version) ? version : (newestOf(version, builtVersions()) ?? version));
}

/** Builds what is missing, and gives the programs. A minor version is looked up at the proxy: its newest patch is taken. */
export async function buildPrograms(wanted: string = DEFAULT_VERSION, extent: Extent = 'cluster'): Promise<Programs> {
  await requirePrograms(extent === 'cluster' ? [OPENSSL, ...NODE_PROGRAMS] : [OPENSSL], ['/usr/bin/containerd']);
  const local = programsOf(wanted);
  if (isFull(wanted) && isBuilt(local, extent)) return local;
  await requireGo();
  const version = isFull(wanted) ? wanted : newestOf(wanted, await moduleVersions('k8s.io/kubernetes'));
  if (version === undefined) throw new Error(`the Go module proxy knows no Kubernetes ${wanted}`);
  const programs = describe(version);
  if (!isBuilt(programs, extent)) await withLock(`kubernetes-${version}`, () => buildAll(programs, extent));
  return programs;
}

async function buildAll(programs: Programs, extent: Extent): Promise<void> {
  const folder = cacheFolder(`kubernetes-${programs.version}`);
  const logFile = join(folder, 'build.log');
  const module = join(folder, 'module');
  const time = await writeWrapper(module, programs.version);
  const own = extent === 'cluster' ? CLUSTER_PROGRAMS : API_PROGRAMS;
  const files = Object.fromEntries(own.map((name) => [`k8s.io/kubernetes/cmd/${name}`, join(folder, 'bin', name)]));
  await goBuild({ module, programs: files, ldflags: versionFlags(programs.version, time), logFile });
  // etcd at the version that Kubernetes itself selects; its main package is the root of the server module.
  await goBuild({ module, programs: { 'go.etcd.io/etcd/server/v3': programs.etcd }, logFile });
  if (extent === 'cluster') await withLock('kubernetes-companions', () => buildCompanions(programs, logFile));
  say(`kubernetes ${programs.version} is built in ${folder}`);
}

async function buildCompanions(programs: Programs, logFile: string): Promise<void> {
  await goInstall('sigs.k8s.io/kwok/cmd/kwok', KWOK, programs.kwok, logFile);
  await goInstall('helm.sh/helm/v3/cmd/helm', HELM.helm3, programs.helm3, logFile);
  await goInstall('helm.sh/helm/v4/cmd/helm', HELM.helm4, programs.helm4, logFile);
  await goInstall('sigs.k8s.io/metrics-server/cmd/metrics-server', METRICS_SERVER, programs.metricsServer, logFile);
  if (!existsSync(programs.kwokDefinitions)) await writeKwokManifests(programs);
}

/** kwok's program brings neither its resource definitions nor its stages: they are rendered from its source once. */
async function writeKwokManifests(programs: Programs): Promise<void> {
  const source = join(await moduleSource('sigs.k8s.io/kwok', KWOK), 'kustomize');
  const render = async (...folders: string[]) => {
    const parts = folders.map((folder) => mustRun(programs.kubectl, ['kustomize', join(source, folder)]));
    return `${(await Promise.all(parts)).join('\n---\n')}\n`;
  };
  const stages = ['stage/node/fast', 'stage/node/heartbeat-with-lease', 'stage/pod/fast', 'metrics/resource', 'metrics/usage'];
  writeFileSync(programs.kwokStages, await render(...stages));
  writeFileSync(programs.kwokDefinitions, await render('crd'));
}

/**
 * Writes a main module from which Kubernetes' programs can be built, and gives the version's date. `go install` of them is refused, because
 * their go.mod replaces the staging modules by paths; here each of those (required at v0.0.0) is replaced by its published version.
 */
async function writeWrapper(module: string, version: string): Promise<string> {
  const info = await describeModule('k8s.io/kubernetes', `v${version}`);
  const goMod = readFileSync(info.goMod, 'utf8');
  const staging = [...goMod.matchAll(/^\t(k8s\.io\/[a-z0-9-]+) v0\.0\.0(?= |$)/gm)].map((match) => match[1] ?? '');
  const published = `v0.${version.slice(2)}`;
  const lines = [
    'module cloud-native-mcp-server/backends/kubernetes',
    '',
    /^go .*$/m.exec(goMod)?.[0] ?? 'go 1.26.0',
    '',
    `require k8s.io/kubernetes v${version}`,
    '',
    'replace (',
    ...[...new Set(staging)].sort().map((path) => `\t${path} => ${path} ${published}`),
    ')',
    '',
  ];
  mkdirSync(module, { recursive: true });
  writeFileSync(join(module, 'go.mod'), lines.join('\n'));
  return info.time;
}

/** What the programs say about themselves. The date is the version's own, so that every build gives the same bytes. */
function versionFlags(version: string, time: string): string {
  const [major, minor] = version.split('.');
  const values = { gitVersion: `v${version}`, gitMajor: major, gitMinor: minor, gitTreeState: 'clean', buildDate: time };
  return Object.entries(values)
    .map(([name, value]) => `-X k8s.io/component-base/version.${name}=${value}`)
    .join(' ');
}

function describe(version: string): Programs {
  const bin = join(cacheFolder(), `kubernetes-${version}`, 'bin');
  const kwok = join(cacheFolder(), `kwok-${KWOK.slice(1)}`);
  return {
    version,
    minor: Number(version.split('.')[1]),
    apiServer: join(bin, 'kube-apiserver'),
    controllerManager: join(bin, 'kube-controller-manager'),
    scheduler: join(bin, 'kube-scheduler'),
    kubectl: join(bin, 'kubectl'),
    kubelet: join(bin, 'kubelet'),
    kubeProxy: join(bin, 'kube-proxy'),
    etcd: join(bin, 'etcd'),
    kwok: join(kwok, 'kwok'),
    kwokDefinitions: join(kwok, 'definitions.yaml'),
    kwokStages: join(kwok, 'stages.yaml'),
    helm3: join(cacheFolder(), `helm-${HELM.helm3.slice(1)}`, 'helm'),
    helm4: join(cacheFolder(), `helm-${HELM.helm4.slice(1)}`, 'helm'),
    metricsServer: join(cacheFolder(), `metrics-server-${METRICS_SERVER.slice(1)}`, 'metrics-server'),
  };
}

/** True if every program that is wanted of the version is there. */
function isBuilt(programs: Programs, extent: Extent): boolean {
  const { apiServer, kubectl, etcd } = programs;
  const files = extent === 'api' ? [apiServer, kubectl, etcd] : Object.values(programs).filter((value) => typeof value === 'string');
  return files.filter((file) => file.startsWith('/')).every((file) => existsSync(file));
}

function builtVersions(): string[] {
  return readdirSync(cacheFolder())
    .filter((name) => name.startsWith('kubernetes-'))
    .map((name) => name.slice('kubernetes-'.length))
    .filter((version) => isFull(version) && isBuilt(describe(version), 'api'));
}

function isFull(version: string): boolean {
  return /^\d+\.\d+\.\d+$/.test(version);
}

/** The newest released patch of a minor version; pre-releases do not count. */
function newestOf(minor: string, versions: readonly string[]): string | undefined {
  const plain = versions
    .map((version) => version.replace(/^v/, ''))
    .filter((version) => isFull(version) && version.startsWith(`${minor}.`));
  return plain.sort((left, right) => Number(left.split('.')[2]) - Number(right.split('.')[2])).at(-1);
}
