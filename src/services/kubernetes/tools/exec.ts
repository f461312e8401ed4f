// kubernetes_exec_pod: one command in a container, off unless a policy allows it.

import { z } from 'zod';
import type { Check } from '../../../kit/change.ts';
import { formatDuration, parseDuration } from '../../../kit/duration.ts';
import { AppError } from '../../../kit/errors.ts';
import { namespace, timeout } from '../../../kit/params.ts';
import type { Output } from '../../../upstream/kubernetes/exec.ts';
import { type KubeObject, listAt, metadataOf, textAt } from '../../../upstream/kubernetes/objects.ts';
import { RESOURCES } from '../../../upstream/kubernetes/resources.ts';
import { podStatus } from '../../../upstream/kubernetes/status.ts';
import { changeObjects } from '../changes/define.ts';
import { toRef } from '../changes/refs.ts';
import type { Step } from '../changes/steps.ts';
import type { Work } from '../changes/update.ts';
import { learnSecrets } from '../learn-secrets.ts';

/** Shown of each stream. */
const MAX_CHARS = 256 * 1024;
/** Read beyond that, so that a secret at the cut is whole when it is masked. */
const MARGIN = 64 * 1024;
const MAX_TIMEOUT_MS = 300_000;

const input = z.object({
  name: z.string().min(1).max(253).describe('Pod.'),
  namespace,
  container: z.string().min(1).max(253).optional().describe('Absent = the default container.'),
  command: z
    .array(z.string().max(4096))
    .min(1)
    .max(100)
    .describe('Words of the command, such as ["cat", "/etc/hosts"]; no shell unless it is one of them.'),
  timeout: timeout('30s'),
});

type Args = z.infer<typeof input>;

const chooseContainer = (pod: KubeObject, wanted: string | undefined): string => {
  const names = listAt(pod, 'spec', 'containers').flatMap((container) => textAt(container, 'name') ?? []);
  const extra = [...listAt(pod, 'spec', 'initContainers'), ...listAt(pod, 'spec', 'ephemeralContainers')].flatMap(
    (one) => textAt(one, 'name') ?? [],
  );
  const byDefault = metadataOf(pod).annotations['kubectl.kubernetes.io/default-container'];
  const name = wanted ?? (byDefault !== undefined && names.includes(byDefault) ? byDefault : names[0]);
  if (name !== undefined && [...names, ...extra].includes(name)) return name;
  throw new AppError('NOT_FOUND', `The pod has no container ${wanted}.`, {
    details: { argument: 'container', choices: [...names, ...extra] },
  });
};

const checkPod = (pod: KubeObject): Check => {
  const { status } = podStatus(pod);
  const isRunning = textAt(pod, 'status', 'phase') === 'Running' && metadataOf(pod).deletedAt === undefined;
  return { name: 'pod runs', result: isRunning ? 'pass' : 'fail', detail: status };
};

/** Over a WebSocket, newer API servers ask for both (1.35), older ones for one of them. */
const VERBS = ['get', 'create'];

const checkRight = async ({ client, ctx }: Work, scope: string, name: string): Promise<Check> => {
  const ask = (verb: string) =>
    client.accessReview(
      { verb, group: '', version: 'v1', resource: 'pods', subresource: 'exec', namespace: scope, name },
      { signal: ctx.signal },
    );
  const answers = await Promise.all(VERBS.map(ask));
  const missing = VERBS.filter((_, index) => answers[index]?.allowed !== true);
  return missing.length === 0
    ? { name: 'permission', result: 'pass' }
    : { name: 'permission', result: 'fail', detail: `${missing.join(' and ')} pods/exec is not allowed in ${scope}` };
};

/** Masked, then cut. */
const toOutput = (name: string, { text, size }: Output, maskLines: Work['service']['maskLines']): Record<string, unknown> => {
  const masked = maskLines(text.split('\n')).join('\n');
  const isCut = masked.length > MAX_CHARS || size > MAX_CHARS + MARGIN;
  const shown = masked.slice(0, MAX_CHARS);
  return { [name]: shown, ...(isCut ? { [`${name}Cut`]: `the first ${Buffer.byteLength(shown)} of ${size} bytes` } : {}) };
};

const toStep = (work: Work, pod: KubeObject, container: string, { command, ...args }: Args): Step => {
  const { client, cluster, service } = work;
  const { name, namespace: scope, uid } = metadataOf(pod);
  const place = { cluster, resource: RESOURCES.pods, namespace: scope, name };
  const ref = toRef(place);
  let exitCode = 0;
  return {
    place,
    title: `${command[0]} in ${name}/${container}`,
    // The same pod, whatever it reports of itself meanwhile.
    target: { ref, operation: 'execute', guard: uid },
    run: async (ctx) => {
      // What it prints may be what a Secret holds: it is masked like any log.
      await learnSecrets([pod], client, service, ctx);
      const limit = AbortSignal.timeout(Math.min(parseDuration(args.timeout, 'timeout'), MAX_TIMEOUT_MS));
      const startedAt = ctx.now();
      try {
        const signal = AbortSignal.any([ctx.signal, limit]);
        const result = await client.exec({ name, namespace: scope, container, command, maxBytes: MAX_CHARS + MARGIN, signal });
        exitCode = result.exitCode;
        return {
          targets: [{ ref, operation: 'execute' }],
          untrusted: true,
          shown: {
            container,
            exitCode,
            ...toOutput('stdout', result.stdout, service.maskLines),
            ...toOutput('stderr', result.stderr, service.maskLines),
            tookMs: Math.max(0, ctx.now() - startedAt),
          },
        };
      } catch (thrown) {
        if (!limit.aborted || ctx.signal.aborted) throw thrown;
        throw new AppError('DEADLINE_EXCEEDED', `The command did not end within ${args.timeout}; its connection was closed.`, {
          details: { after: formatDuration(ctx.now() - startedAt), argument: 'timeout' },
        });
      }
    },
    verify: async () => ({ result: exitCode === 0 ? 'pass' : 'fail', detail: `exit code ${exitCode}` }),
  };
};

export default [
  changeObjects({
    name: 'kubernetes_exec_pod',
    title: 'Run command in pod',
    description: 'Runs a command in a container and returns its output. Gated by policy.',
    effect: 'delete',
    openWorld: true,
    needs: 'exec',
    input,
    async plan(args, work) {
      const { client, cluster, ctx } = work;
      const scope = args.namespace ?? client.defaultNamespace;
      // Asked before anything is read: who may not run it learns nothing of the pod.
      client.permitCommand({ name: args.name, namespace: scope, command: args.command });
      const pod = await client.get(RESOURCES.pods, { name: args.name, namespace: scope, signal: ctx.signal });
      const container = chooseContainer(pod, args.container);
      const step = toStep(work, pod, container, args);
      return {
        summary: `Run ${JSON.stringify(args.command)} in container ${container} of Pod ${scope}/${args.name}`,
        scope: { cluster, namespace: scope },
        targets: [step.target],
        diff: [],
        checks: [checkPod(pod), await checkRight(work, scope, args.name)],
        verify: 'the command ends with exit code 0',
        undo: { possible: false, how: 'what a command does cannot be taken back' },
        state: { client, cluster, steps: [step], results: [], summary: `Ran ${JSON.stringify(args.command)} in ${args.name}/${container}` },
      };
    },
  }),
];
