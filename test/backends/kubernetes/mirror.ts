/**
 * The backend `kubernetes-mirror`: an API server and its etcd, nothing else. No controller and no admission plugin touches what lies in it, so
 * objects that are put into etcd as they are (own uids, times, managed fields, status) are shown by a real API server exactly so.
 */
import type { Backend } from '../backend.ts';
import { mustRun } from '../command.ts';
import { prepareCluster, startApiServer, startEtcd } from './control-plane.ts';
import { buildPrograms, type Programs, programsOf } from './programs.ts';

const LOOPBACK = '127.0.0.1';

/** What the API server would write by itself beside the objects: leases that say which API servers live. */
const QUIET = 'APIServerIdentity=false,UnknownVersionInteroperabilityProxy=false';

export const kubernetesMirror: Backend = {
  name: 'kubernetes-mirror',
  about: 'etcd and API server alone: shows any set of objects exactly as they are',
  needsRoom: false,
  versionLike: 'kubernetes',
  async build({ version }) {
    await buildPrograms(version, 'api');
  },
  async up(run, { version }) {
    const programs = programsOf(version);
    const cluster = await prepareCluster(run, 'kubernetes-mirror', programs);
    const [plugins] = await Promise.all([admissionPlugins(programs), startEtcd(cluster)]);
    const kubeconfig = await startApiServer(cluster, LOOPBACK, {
      'disable-admission-plugins': plugins,
      'feature-gates': QUIET,
      'storage-media-type': 'application/json',
    });
    return { version: programs.version, server: cluster.server, kubeconfig, etcd: cluster.etcd, kubectl: programs.kubectl };
  },
  async down() {
    // Its processes and the run's folder are all there is.
  },
  async status(run) {
    const dead = run.deadProcesses('kubernetes-mirror');
    return { running: dead.length === 0, dead };
  },
};

/** The admission plugins that are on by default, as the API server itself lists them: they differ from version to version. */
async function admissionPlugins({ apiServer }: Programs): Promise<string> {
  const help = await mustRun(apiServer, ['--help']);
  const listed = /--disable-admission-plugins .*?default enabled plugins list \(([^)]+)\)/s.exec(help)?.[1];
  if (listed === undefined) throw new Error('the API server does not list its admission plugins');
  return listed.replaceAll(' ', '');
}
