/** For tests: the cluster of the test bed, found through the environment that `exec` and `test` set. */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { Json } from '../backend.ts';
import { type CommandResult, runCommand } from '../command.ts';
import { at, KubernetesApi, listAt, textAt } from './api.ts';
import { createImage, type ImageOptions, loadImage } from './image.ts';

const bedFacts = z.object({
  version: z.string(),
  server: z.string(),
  kubeconfigs: z.object({ admin: z.string(), adminToken: z.string(), viewer: z.string(), nobody: z.string() }),
  /** The node with real containers; all others are kwok's. */
  node: z.object({ name: z.string(), address: z.string() }),
  /** An image that the real node has: a shell and the usual tools, `imagePullPolicy: Never`. */
  image: z.string(),
  containerd: z.string(),
  auditLog: z.string(),
  logs: z.string(),
  metrics: z.boolean(),
  bin: z.object({ kubectl: z.string(), helm3: z.string(), helm4: z.string() }),
});

const mirrorFacts = z.object({
  version: z.string(),
  server: z.string(),
  kubeconfig: z.string(),
  etcd: z.string(),
  kubectl: z.string(),
});

/** Where the real cluster is, and with which files one gets in. */
export type KubernetesBed = z.infer<typeof bedFacts>;

/** The second cluster form: an API server without controllers, into which objects are put as they are. */
export type KubernetesMirror = z.infer<typeof mirrorFacts>;

export type BedUser = keyof KubernetesBed['kubeconfigs'];

/** The cluster of the test bed. Fails if there is none: a test that needs it must not pass without it. */
export function readBed(): KubernetesBed {
  return bedFacts.parse(readFacts('CNMCP_TEST_KUBERNETES'));
}

/** The mirror of the test bed. Fails if there is none. */
export function readMirror(): KubernetesMirror {
  return mirrorFacts.parse(readFacts('CNMCP_TEST_KUBERNETES_MIRROR'));
}

/** A client with a user's rights; close it after use. */
export function connect(bed: KubernetesBed, user: BedUser = 'admin'): KubernetesApi {
  return new KubernetesApi(bed.kubeconfigs[user]);
}

/** Runs kubectl with a user's rights; gives exit code and output. */
export function kubectl(
  bed: KubernetesBed,
  args: readonly string[],
  options: { user?: BedUser; input?: string } = {},
): Promise<CommandResult> {
  const { user = 'admin', input } = options;
  return runCommand(bed.bin.kubectl, args, { env: { KUBECONFIG: bed.kubeconfigs[user] }, ...(input !== undefined && { input }) });
}

/** Runs Helm 3 or 4 as the administrator. */
export function helm(bed: KubernetesBed, major: 3 | 4, args: readonly string[], input?: string): Promise<CommandResult> {
  const program = major === 3 ? bed.bin.helm3 : bed.bin.helm4;
  return runCommand(program, args, { env: { KUBECONFIG: bed.kubeconfigs.admin }, ...(input !== undefined && { input }) });
}

/** Applies a manifest (YAML or JSON, any number of documents) on the server; throws what kubectl says if that fails. */
export async function apply(bed: KubernetesBed, manifest: string): Promise<void> {
  const { code, stderr } = await kubectl(bed, ['apply', '--server-side', '--filename', '-'], { input: manifest });
  if (code !== 0) throw new Error(stderr);
}

/** Makes a namespace of its own for a test; its service account exists when this returns, so pods can be made at once. */
export async function createNamespace(api: KubernetesApi, prefix: string): Promise<string> {
  const name = `${prefix}-${randomBytes(3).toString('hex')}`;
  await api.json('/api/v1/namespaces', { method: 'POST', body: { apiVersion: 'v1', kind: 'Namespace', metadata: { name } } });
  await api.watchUntil(`/api/v1/namespaces/${name}/serviceaccounts`, (account) => textAt(account, 'metadata', 'name') === 'default');
  return name;
}

/** Deletes a namespace without waiting for its end. */
export async function deleteNamespace(api: KubernetesApi, name: string): Promise<void> {
  await api.request(`/api/v1/namespaces/${name}`, { method: 'DELETE' });
}

/** Waits until a pod is as wanted, and gives it. */
export function waitForPod(api: KubernetesApi, namespace: string, name: string, done: (pod: Json) => boolean): Promise<Json> {
  const path = `/api/v1/namespaces/${namespace}/pods?fieldSelector=metadata.name%3D${name}`;
  return api.watchUntil(path, (pod, type) => type !== 'DELETED' && done(pod));
}

/** True if a condition of an object (`Ready`, `Available`, ...) holds. */
export function hasCondition(object: Json, type: string): boolean {
  return listAt(object, 'status', 'conditions').some((condition) => at(condition, 'type') === type && at(condition, 'status') === 'True');
}

/** Makes an image from static programs of this machine and gives it to the real node. */
export async function addImage(bed: KubernetesBed, options: ImageOptions): Promise<void> {
  const archive = join(bed.logs, '..', `image-${randomBytes(4).toString('hex')}.tar`);
  await createImage(archive, options);
  await loadImage(bed.containerd, archive);
}

export interface AuditEvent {
  readonly user: string;
  readonly verb: string;
  readonly uri: string;
  readonly userAgent: string;
  readonly status: number;
  readonly at: string;
}

const auditLine = z
  .object({
    user: z.object({ username: z.string() }),
    verb: z.string(),
    requestURI: z.string(),
    userAgent: z.string().default(''),
    stage: z.string(),
    responseStatus: z.object({ code: z.number() }).optional(),
    requestReceivedTimestamp: z.string(),
  })
  .transform(
    (line): AuditEvent => ({
      user: line.user.username,
      verb: line.verb,
      uri: line.requestURI,
      userAgent: line.userAgent,
      status: line.responseStatus?.code ?? 0,
      at: line.requestReceivedTimestamp,
    }),
  );

/**
 * What the API server answered, oldest first: the witness that something was, or was not, asked or written.
 * An answer is in the log before its last byte is sent, so what a test has seen is there.
 */
export function auditEvents(bed: KubernetesBed, matches: (event: AuditEvent) => boolean): AuditEvent[] {
  const complete = readFileSync(bed.auditLog, 'utf8').split('\n').slice(0, -1);
  return complete.map((line) => auditLine.parse(JSON.parse(line))).filter(matches);
}

/** Verbs that change something. */
export const WRITE_VERBS: ReadonlySet<string> = new Set(['create', 'update', 'patch', 'delete', 'deletecollection']);

function readFacts(variable: string): unknown {
  const file = process.env[variable];
  if (file === undefined) throw new Error(`${variable} is not set: run this through "npm run backends test" or "npm run backends exec"`);
  return JSON.parse(readFileSync(file, 'utf8'));
}
