// GET .../pods/<name>/exec over a WebSocket (pkg/registry/core/pod/rest/subresources.go; kubelet, pkg/kubelet/server/remotecommand).
import type { Attributes } from '../authorization.ts';
import type { ResourceContext, ResourceHandler } from '../context.ts';
import { at, isObject, objectsAt, textAt } from '../json.ts';
import { chooseContainer } from '../logs.ts';
import type { KubernetesObject } from '../object.ts';
import { findObject } from '../read.ts';
import { badRequest, StatusError } from '../status.ts';
import { openContainer } from './container.ts';
import { createSession, PROTOCOLS } from './session.ts';
import { upgradeTo } from './upgrade.ts';

const isTrue = (query: URLSearchParams, name: string): boolean => {
  const [text] = query.getAll(name);
  return text !== undefined && text !== '0' && text.toLowerCase() !== 'false';
};

/** The kubelet speaks plain text. */
const refusal = (status: number, text: string): Response =>
  new Response(text, { status, headers: { 'content-type': 'text/plain; charset=utf-8' } });

/** A WebSocket begins with GET, so the right to get is not enough: since 1.35 the right to create is asked for too. */
export const demandCreate = ({ server, user, info }: ResourceContext): void => {
  const { group, resource, subresource, namespace, name, path } = info;
  const attributes: Attributes = { user, verb: 'create', isResource: true, group, resource, subresource, namespace, name, path };
  const { isAllowed, reason } = server.authorizer.decide(attributes);
  if (isAllowed) return;
  const details = { name, kind: resource };
  throw new StatusError(403, 'Forbidden', `${resource} "${name}" is forbidden: ${reason}`, { details });
};

const isRunning = (pod: KubernetesObject, container: string): boolean => {
  const statuses = ['containerStatuses', 'initContainerStatuses', 'ephemeralContainerStatuses'].flatMap((key) =>
    objectsAt(pod, 'status', key),
  );
  return isObject(
    at(
      statuses.find((status) => status['name'] === container),
      'state',
      'running',
    ),
  );
};

/** Starts a command in a container; in HTTP alone nothing can be answered but a refusal. */
export const execInPod: ResourceHandler = async (context) => {
  const { request, info, server } = context;
  const { query } = info;
  demandCreate(context);
  const pod = findObject(context);
  const container = chooseContainer(pod, query.get('container') ?? '');
  const protocol = request.headers.get('upgrade')?.toLowerCase();
  if (protocol === undefined) throw badRequest('Upgrade request required');
  if (textAt(pod, 'spec', 'nodeName') === '') throw badRequest(`pod ${info.name} does not have a host assigned`);
  const [hasInput, hasOutput, isTerminal] = [isTrue(query, 'stdin'), isTrue(query, 'stdout'), isTrue(query, 'tty')];
  const hasError = isTrue(query, 'stderr') && !isTerminal;
  if (!hasInput && !hasOutput && !hasError) return refusal(400, 'you must specify at least 1 of stdin, stdout, stderr');
  if (!isRunning(pod, container)) return refusal(500, `container not found (${JSON.stringify(container)})`);
  if (protocol !== 'websocket') {
    throw new StatusError(501, 'NotImplemented', `the embedded Kubernetes does not speak ${protocol}: use a WebSocket`, { details: {} });
  }
  const offered = (request.headers.get('sec-websocket-protocol') ?? '').split(',').map((text) => text.trim());
  const chosen = PROTOCOLS.find((candidate) => offered.includes(candidate));
  // The first version of the protocol, which tells no exit code, and the base64 forms are not offered.
  if (chosen === undefined) return new Response(null, { status: 403 });
  const words = query.getAll('command');
  const command = { words, container: openContainer(server.store, pod, container), hasInput, hasOutput, hasError, isTerminal };
  const key = request.headers.get('sec-websocket-key') ?? '';
  return upgradeTo((socket, head) => {
    const done = server.streams.open(() => end());
    const end = createSession({ key, protocol: chosen, command, clock: server.clock, onEnd: () => done() })(socket, head);
    return end;
  });
};
