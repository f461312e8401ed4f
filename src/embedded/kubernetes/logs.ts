// GET of a pod's log: the options of the API, the kubelet's refusals, and lines that the shop's programs write.
import { HISTORY, logLines, toLogText } from '../shop.ts';
import type { ResourceContext, ServerParts } from './context.ts';
import { at, isObject, objectsAt, textAt } from './json.ts';
import type { KubernetesObject } from './object.ts';
import { poolSizeOfRun } from './payment-settings.ts';
import { type ContainerRun, roleOf, runOf, versionOf } from './pod-source.ts';
import { findObject } from './read.ts';
import { badRequest, type FieldError, invalid } from './status.ts';

interface LogOptions {
  readonly container: string;
  readonly isPrevious: boolean;
  readonly isFollowing: boolean;
  readonly hasTimestamps: boolean;
  readonly tailLines: number | undefined;
  readonly limitBytes: number | undefined;
  readonly since: number | undefined;
}

/** Milliseconds between two looks for new lines while a log is followed. */
const FOLLOW_INTERVAL = 500;

const isSet = (query: URLSearchParams, name: string): boolean =>
  ['', '1', 't', 'T', 'true', 'TRUE', 'True'].includes(query.get(name) ?? 'false');

const parseInteger = (query: URLSearchParams, name: string): number | undefined => {
  const text = query.get(name);
  if (text === null || text === '') return undefined;
  if (!/^[-+]?\d+$/.test(text)) throw badRequest(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`);
  return Number(text);
};

const parseTime = (text: string): number => {
  const time = Date.parse(text);
  if (Number.isNaN(time))
    throw badRequest(`parsing time ${JSON.stringify(text)} as "2006-01-02T15:04:05Z07:00": cannot parse ${JSON.stringify(text)} as "2006"`);
  return time;
};

const faultsOf = (
  query: URLSearchParams,
  tailLines: number | undefined,
  limitBytes: number | undefined,
  sinceSeconds: number | undefined,
): FieldError[] => {
  const faults: FieldError[] = [];
  const add = (reason: string, field: string, message: string): void => {
    faults.push({ reason, field, message });
  };
  if (tailLines !== undefined && tailLines < 0)
    add('FieldValueInvalid', 'tailLines', `Invalid value: ${tailLines}: must be greater than or equal to 0`);
  if (limitBytes !== undefined && limitBytes < 1)
    add('FieldValueInvalid', 'limitBytes', `Invalid value: ${limitBytes}: must be greater than 0`);
  if (sinceSeconds !== undefined && query.has('sinceTime')) {
    add('FieldValueForbidden', '[]', 'Forbidden: at most one of `sinceTime` or `sinceSeconds` may be specified');
  } else if (sinceSeconds !== undefined && sinceSeconds < 1) {
    add('FieldValueInvalid', 'sinceSeconds', `Invalid value: ${sinceSeconds}: must be greater than 0`);
  }
  // One stream alone needs the feature PodLogsQuerySplitStreams, which is off by default.
  if (query.has('stream')) add('FieldValueForbidden', 'stream', 'Forbidden: may not be specified');
  return faults;
};

const parseOptions = (query: URLSearchParams, pod: string, now: number): LogOptions => {
  const tailLines = parseInteger(query, 'tailLines');
  const limitBytes = parseInteger(query, 'limitBytes');
  const sinceSeconds = parseInteger(query, 'sinceSeconds');
  const faults = faultsOf(query, tailLines, limitBytes, sinceSeconds);
  if (faults.length > 0) throw invalid('', 'PodLogOptions', pod, faults);
  const sinceTime = query.get('sinceTime');
  return {
    container: query.get('container') ?? '',
    isPrevious: isSet(query, 'previous'),
    isFollowing: isSet(query, 'follow'),
    hasTimestamps: isSet(query, 'timestamps'),
    tailLines,
    limitBytes,
    since: sinceSeconds === undefined ? (sinceTime === null ? undefined : parseTime(sinceTime)) : now - sinceSeconds * 1000,
  };
};

/** The container that is meant; a pod with several needs its name. */
export const chooseContainer = (pod: KubernetesObject, wanted: string): string => {
  const names = ['initContainers', 'containers', 'ephemeralContainers'].flatMap((key) =>
    objectsAt(pod, 'spec', key).map((container) => textAt(container, 'name')),
  );
  if (wanted !== '') {
    if (!names.includes(wanted)) throw badRequest(`container ${wanted} is not valid for pod ${pod.metadata.name}`);
    return wanted;
  }
  const main = objectsAt(pod, 'spec', 'containers');
  if (main.length === 1) return textAt(main[0], 'name');
  throw badRequest(`a container name must be specified for pod ${pod.metadata.name}, choose one of: [${names.join(' ')}]`);
};

/** The run whose log is asked for, or the kubelet's refusal. */
const chooseRun = (pod: KubernetesObject, container: string, isPrevious: boolean): ContainerRun => {
  const run = runOf(pod, container, isPrevious);
  if (run !== undefined) return run;
  const name = pod.metadata.name;
  if (isPrevious) throw badRequest(`previous terminated container "${container}" in pod "${name}" not found`);
  const statuses = ['containerStatuses', 'initContainerStatuses'].flatMap((key) => objectsAt(pod, 'status', key));
  const status = statuses.find((candidate) => candidate['name'] === container);
  if (status === undefined) throw badRequest(`container "${container}" in pod "${name}" is not available`);
  const reason = textAt(status, 'state', 'waiting', 'reason');
  const texts: Readonly<Record<string, string>> = {
    ErrImagePull: "image can't be pulled",
    ImagePullBackOff: 'trying and failing to pull image',
  };
  const hasState = isObject(at(status, 'state', 'waiting'));
  throw badRequest(
    `container "${container}" in pod "${name}" is waiting to start${hasState ? `: ${texts[reason] ?? reason}` : ' - no logs yet'}`,
  );
};

/** The kubelet stamps with nanoseconds; the digits below a millisecond come from the text. */
const toTimestamp = (time: number, text: string): string => {
  const fine = [...text].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) % 1_000_000, 7);
  return `${new Date(time).toISOString().slice(0, -1)}${String(fine).padStart(6, '0')}Z`;
};

interface LogReader {
  /** Lines in the window, each with its end. */
  read(from: number, until: number): string[];
}

const createReader = (
  { shop, store }: ServerParts,
  pod: KubernetesObject,
  container: string,
  run: ContainerRun,
  options: LogOptions,
): LogReader => {
  const { workload, ordinal } = roleOf(shop, pod);
  const source = {
    namespace: pod.metadata.namespace ?? '',
    workload,
    container,
    version: versionOf(pod, container),
    pod: pod.metadata.name,
    ...run,
    ...(ordinal === undefined ? {} : { ordinal }),
    ...(workload === 'payment' ? { poolSize: poolSizeOfRun(shop, store, pod, run) } : {}),
  };
  return {
    read: (from, until) =>
      logLines(shop, source, from, until).map((line) => {
        const text = toLogText(source, line);
        return options.hasTimestamps ? `${toTimestamp(line.at, text)} ${text}\n` : `${text}\n`;
      }),
  };
};

/** Cuts at a number of bytes, in the middle of a line if need be, as the kubelet does. */
const cut = (text: string, limit: number | undefined): Uint8Array<ArrayBuffer> => {
  const bytes = new TextEncoder().encode(text);
  return limit === undefined ? bytes : bytes.slice(0, limit);
};

const TEXT = { 'cache-control': 'no-cache, private', 'content-type': 'text/plain' };

/** GET .../pods/<name>/log */
export const getLog = async (context: ResourceContext): Promise<Response> => {
  const { server, info } = context;
  const now = server.clock();
  const options = parseOptions(info.query, info.name, now);
  const pod = findObject(context);
  const container = chooseContainer(pod, options.container);
  // Before a node is found there is no kubelet to ask: the answer is empty.
  if (textAt(pod, 'spec', 'nodeName') === '') return new Response('', { headers: TEXT });
  const run = chooseRun(pod, container, options.isPrevious);
  const reader = createReader(server, pod, container, run, options);
  const from = Math.max(run.startedAt, options.since ?? 0, now - HISTORY);
  const all = reader.read(from, now + 1);
  const shown = options.tailLines === undefined ? all : options.tailLines === 0 ? [] : all.slice(-options.tailLines);
  const text = shown.join('');
  if (!options.isFollowing || options.isPrevious || run.endedAt !== undefined)
    return new Response(cut(text, options.limitBytes), { headers: TEXT });
  return new Response(follow(context, pod, container, reader, { text, now, limit: options.limitBytes }), { headers: TEXT });
};

interface Beginning {
  readonly text: string;
  readonly now: number;
  readonly limit: number | undefined;
}

/** Goes on until the container ends, the limit is reached, the client leaves or the server closes. */
const follow = (
  { server, request }: ResourceContext,
  pod: KubernetesObject,
  container: string,
  reader: LogReader,
  begin: Beginning,
): ReadableStream<Uint8Array> => {
  let stop = (): void => {};
  return new ReadableStream<Uint8Array>({
    start: (controller) => {
      let left = begin.limit ?? Number.POSITIVE_INFINITY;
      let readUntil = begin.now + 1;
      let isEnded = false;
      const end = (): void => {
        if (isEnded) return;
        stop();
        controller.close();
      };
      const send = (text: string): void => {
        const bytes = cut(text, Number.isFinite(left) ? left : undefined);
        left -= bytes.length;
        if (bytes.length > 0) controller.enqueue(bytes);
        if (left <= 0) end();
      };
      const look = (): void => {
        const until = server.clock() + 1;
        if (until > readUntil) send(reader.read(readUntil, until).join(''));
        readUntil = Math.max(readUntil, until);
        const current = server.store.get('pods', pod.metadata.namespace ?? '', pod.metadata.name);
        const run = current === undefined ? undefined : runOf(current, container, false);
        if (current?.metadata.uid !== pod.metadata.uid || run === undefined || run.endedAt !== undefined) end();
      };
      const timer = setInterval(look, FOLLOW_INTERVAL);
      const release = server.streams.open(end);
      stop = () => {
        isEnded = true;
        clearInterval(timer);
        release();
      };
      request.signal.addEventListener('abort', end, { once: true });
      send(begin.text);
    },
    cancel: () => stop(),
  });
};
