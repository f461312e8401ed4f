/** The real node: a kubelet and a container runtime, with real containers, inside the run's room. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { mustRun, runCommand } from '../command.ts';
import type { Run } from '../run.ts';
import { untilReady } from '../wait.ts';
import { at, type KubernetesApi, listAt } from './api.ts';
import { createCgroup, removeCgroup } from './cgroups.ts';
import { type Cluster, componentKubeconfig, flags, start } from './control-plane.ts';
import { createImage, loadImage } from './image.ts';
import { createCertificate } from './pki.ts';
import { networkPluginFolder } from './programs.ts';

export const NODE = { name: 'real-1', address: '10.99.0.1', podRange: '10.99.1.0/24' } as const;

/** kwok's nodes have an address of their own: the API server refuses to pass requests on to loopback. */
export const KWOK_ADDRESS = '10.99.0.2';

/** The image of the real node's containers: a shell and the usual tools. */
export const BUSYBOX = 'docker.io/local/busybox:1';
const PAUSE = 'docker.io/local/pause:1';

/** Gives the room the addresses of its nodes, and lets it pass packets between pods. */
export async function prepareNetwork(): Promise<void> {
  for (const address of [NODE.address, KWOK_ADDRESS]) await mustRun('ip', ['address', 'replace', `${address}/32`, 'dev', 'lo']);
  writeFileSync('/proc/sys/net/ipv4/ip_forward', '1');
}

/** Where the container runtime of a run listens. */
export function runtimeSocket(run: Run): string {
  const socket = join(run.backendFolder('kubernetes'), 'containerd.sock');
  if (socket.length > 100) throw new Error(`${socket} is too long for a unix socket: set TMPDIR to a shorter path`);
  return socket;
}

/** Starts the container runtime with the images of the node; needs no cluster yet. */
export async function startRuntime(run: Run): Promise<void> {
  const folder = run.backendFolder('kubernetes');
  const archive = join(folder, 'busybox.tar');
  const plugins = join(folder, 'network');
  mkdirSync(plugins, { recursive: true });
  writeFileSync(join(plugins, '10-bridge.conflist'), JSON.stringify(networkConfig(folder)));
  writeFileSync(join(folder, 'containerd.toml'), runtimeConfig(folder, plugins));
  const image = createImage(archive, {
    tags: [
      { name: BUSYBOX, command: ['/bin/sh'] },
      { name: PAUSE, command: ['/bin/sleep', 'infinity'] },
    ],
  });
  const started = run.start('kubernetes', 'containerd', ['containerd', '--config', join(folder, 'containerd.toml')]);
  const isUp = async () => (await runCommand('ctr', ['--address', runtimeSocket(run), 'version'])).code === 0;
  await Promise.all([image, untilReady(started, isUp)]);
  await loadImage(runtimeSocket(run), archive);
}

/** Starts the kubelet and kube-proxy, and waits until the node is ready. */
export async function startNode(cluster: Cluster, api: KubernetesApi): Promise<void> {
  const { run, programs, pki } = cluster;
  const [serving, kubeconfig, proxyKubeconfig] = await Promise.all([
    createCertificate(pki, 'kubelet', { subject: '/CN=kubelet', usage: 'serverAuth', names: [`IP:${NODE.address}`, `DNS:${NODE.name}`] }),
    componentKubeconfig(cluster, 'node', `/O=system:nodes/CN=system:node:${NODE.name}`),
    componentKubeconfig(cluster, 'kube-proxy', '/CN=system:kube-proxy'),
  ]);
  const cgroup = cgroupOf(run);
  createCgroup(cgroup);
  const config = join(cluster.folder, 'kubelet.yaml');
  writeFileSync(config, stringify(kubeletConfig(cluster, cgroup, serving)));
  const kubelet = start(cluster, 'kubelet', [
    programs.kubelet,
    ...flags({
      config,
      kubeconfig,
      'hostname-override': NODE.name,
      'node-ip': NODE.address,
      'root-dir': join(cluster.folder, 'kubelet'),
    }),
  ]);
  const proxyConfig = join(cluster.folder, 'kube-proxy.yaml');
  writeFileSync(proxyConfig, stringify(proxyConfiguration(proxyKubeconfig)));
  start(cluster, 'kube-proxy', [programs.kubeProxy, ...flags({ config: proxyConfig, 'hostname-override': NODE.name })]);
  await Promise.race([untilNodeReady(api, NODE.name), kubelet.ended]);
}

/** Waits until a node says that it is ready. */
export async function untilNodeReady(api: KubernetesApi, name: string): Promise<void> {
  await api.watchUntil(`/api/v1/nodes?fieldSelector=metadata.name%3D${name}`, (node) =>
    listAt(node, 'status', 'conditions').some((condition) => at(condition, 'type') === 'Ready' && at(condition, 'status') === 'True'),
  );
}

/** Removes what a node leaves behind when all its processes are gone. */
export async function removeNode(run: Run): Promise<void> {
  await removeCgroup(cgroupOf(run));
}

function cgroupOf(run: Run): string {
  return `cnmcp-${run.id}`;
}

function kubeletConfig({ folder, run, pki, programs }: Cluster, cgroup: string, serving: { cert: string; key: string }) {
  const resolver = join(folder, 'resolv.conf');
  writeFileSync(resolver, 'nameserver 10.96.0.10\n');
  return {
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    address: NODE.address,
    port: 10250,
    healthzBindAddress: '127.0.0.1',
    readOnlyPort: 0,
    tlsCertFile: serving.cert,
    tlsPrivateKeyFile: serving.key,
    authentication: { anonymous: { enabled: false }, webhook: { enabled: false }, x509: { clientCAFile: pki.authority.cert } },
    authorization: { mode: 'AlwaysAllow' },
    cgroupDriver: 'cgroupfs',
    cgroupRoot: `/${cgroup}`,
    // Older kubelets know no such setting, and need none.
    ...(programs.minor >= 31 && { failCgroupV1: false }),
    failSwapOn: false,
    containerRuntimeEndpoint: `unix://${runtimeSocket(run)}`,
    resolvConf: resolver,
    evictionHard: {},
    enableSystemLogHandler: true,
    enableSystemLogQuery: true,
    // On for good since 1.36, where naming it is frowned upon.
    ...(programs.minor < 36 && { featureGates: { NodeLogQuery: true } }),
  };
}

function proxyConfiguration(kubeconfig: string) {
  return {
    apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
    kind: 'KubeProxyConfiguration',
    clientConnection: { kubeconfig },
    clusterCIDR: NODE.podRange,
    mode: 'iptables',
    healthzBindAddress: '127.0.0.1:10256',
    metricsBindAddress: '127.0.0.1:10249',
    // These belong to the whole machine; a network namespace may not set them.
    conntrack: { maxPerCore: 0, min: 0, tcpEstablishedTimeout: '0s', tcpCloseWaitTimeout: '0s' },
  };
}

function networkConfig(folder: string) {
  return {
    cniVersion: '0.4.0',
    name: 'pods',
    plugins: [
      {
        type: 'bridge',
        bridge: 'cni0',
        isGateway: true,
        ipMasq: false,
        hairpinMode: true,
        ipam: {
          type: 'host-local',
          dataDir: join(folder, 'network', 'addresses'),
          ranges: [[{ subnet: NODE.podRange }]],
          routes: [{ dst: '0.0.0.0/0' }],
        },
      },
      { type: 'portmap', capabilities: { portMappings: true } },
    ],
  };
}

function runtimeConfig(folder: string, plugins: string): string {
  return `version = 2
root = ${JSON.stringify(join(folder, 'containerd-root'))}
state = ${JSON.stringify(join(folder, 'containerd-state'))}
[grpc]
  address = ${JSON.stringify(join(folder, 'containerd.sock'))}
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = ${JSON.stringify(PAUSE)}
  restrict_oom_score_adj = ${!hasResourceCapability()}
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = ${JSON.stringify(networkPluginFolder())}
    conf_dir = ${JSON.stringify(plugins)}
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
`;
}

/** Without CAP_SYS_RESOURCE runc cannot lower a score for the out-of-memory killer, and no sandbox would start. */
function hasResourceCapability(): boolean {
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0';
  return ((BigInt(`0x${effective}`) >> 24n) & 1n) === 1n;
}
