// helm_render_chart: a chart with values, rendered by the binary; lint works in part without it.

import { z } from 'zod';
import type { CallContext } from '../../../kit/context.ts';
import { countOf } from '../../../kit/count.ts';
import { AppError } from '../../../kit/errors.ts';
import { cursor, fields } from '../../../kit/params.ts';
import type { Answer } from '../../../kit/result.ts';
import { tool } from '../../../kit/tool.ts';
import type { Workspace } from '../binary/binary.ts';
import { computeValues } from '../charts/chart.ts';
import { lintObjects, lintTemplates, parseLint } from '../charts/lint.ts';
import { type OpenChart, openChart } from '../charts/open.ts';
import { checkValues, type Finding } from '../charts/schema.ts';
import { HELM_BINARY } from '../find.ts';
import { type Helm, skipOf, toPage } from '../helm.ts';
import { type Manifest, parseManifest, toRefMatcher } from '../release/manifest.ts';
import { toSafeObject, toSafeValues } from '../release/redact.ts';
import { checkNamespace, checkReleaseName } from '../storage/storage.ts';

/** Rows of one page, and objects of one page of a manifest. */
const PAGE = 200;
const CHARS_PER_TOKEN = 2;
const DEFAULT_TOKENS = 4000;

const input = z.object({
  chart: z.string().min(1).max(1000).describe('repo/name of a configured repository, oci://host/path/name, or the https URL of a .tgz.'),
  version: z.string().min(1).max(200).optional().describe('Exact, or a range; absent = newest stable.'),
  name: z.string().min(1).max(253).default('release').describe('Release name that the templates see.'),
  namespace: z.string().min(1).max(253).optional().describe('Namespace that the templates see; absent = the setting helm.namespace.'),
  values: z.record(z.string(), z.unknown()).optional().describe('Values over the defaults of the chart.'),
  kubeVersion: z
    .string()
    .regex(/^v?\d+\.\d+(?:\.\d+)?$/)
    .optional()
    .describe('Kubernetes version that the templates see, such as 1.34.'),
  view: z.enum(['resources', 'manifest', 'lint']).default('resources').describe('lint checks schema, APIs, images and requests.'),
  fields,
  cursor,
});

const row = z.record(z.string(), z.unknown());
const output = z.object({
  chart: z.string(),
  version: z.string(),
  rows: z.array(row),
  manifest: z.array(row),
  findings: z.array(row),
});

type Args = z.infer<typeof input> & { readonly maxTokens?: number | undefined };

interface Rendering extends OpenChart {
  readonly helm: Helm;
  readonly args: Args;
  readonly namespace: string;
  readonly ctx: CallContext;
  readonly head: Record<string, unknown>;
}

const inWorkspace = <Result>(
  { helm, source, ctx }: Rendering,
  work: (workspace: Workspace, chart: string) => Promise<Result>,
): Promise<Result> => helm.binary.use({}, ctx, async (workspace) => work(workspace, await workspace.put('chart.tgz', source.archive)));

const toOptions = ({ args, namespace }: Rendering, verb: 'template' | 'lint'): string[] => [
  verb,
  '--namespace',
  namespace,
  ...(args.kubeVersion === undefined ? [] : ['--kube-version', args.kubeVersion]),
];

const template = async (rendering: Rendering): Promise<Manifest> => {
  const { args, ctx, namespace } = rendering;
  const text = await inWorkspace(rendering, (workspace, chart) =>
    workspace.run(
      { options: [...toOptions(rendering, 'template'), '--include-crds'], positionals: [args.name, chart], values: args.values ?? {} },
      ctx,
    ),
  );
  return parseManifest(text, namespace);
};

const unreadableWarning = ({ unreadable }: Manifest): readonly string[] =>
  unreadable.length > 0 ? [`No objects: ${unreadable.join(', ')}.`] : [];

const answerResources = async (rendering: Rendering): Promise<Answer> => {
  const { args, ctx, head } = rendering;
  const manifest = await template(rendering);
  const matches = args.fields === undefined ? () => true : toRefMatcher(args.fields);
  const rows = manifest.objects.filter(matches).map(({ kind, name, namespace, apiVersion, object }) => ({
    kind,
    name,
    ...(namespace === rendering.namespace ? {} : { namespace }),
    apiVersion,
    ...(isHook(object) ? { hook: isHook(object) } : {}),
  }));
  return {
    summary: countOf(rows.length, 'object'),
    head,
    list: { key: 'rows', ...toPage(rows, PAGE, ctx), narrow: 'Name kinds or objects with fields.' },
    ...(rows.length === 0 ? { empty: { reason: 'no_match', detail: 'These values render no such object.' } } : {}),
    warnings: unreadableWarning(manifest),
    untrusted: true,
  };
};

const isHook = (object: unknown): string | undefined =>
  (object as { metadata?: { annotations?: Record<string, string> } }).metadata?.annotations?.['helm.sh/hook'];

const answerManifest = async (rendering: Rendering): Promise<Answer> => {
  const { args, ctx, head, helm } = rendering;
  const manifest = await template(rendering);
  const wanted = args.fields === undefined ? manifest.objects : manifest.objects.filter(toRefMatcher(args.fields));
  const skip = skipOf(ctx);
  let chars = 0;
  const items = wanted
    .slice(skip)
    .map((one) => ({
      ref: one.ref,
      ...(one.source === undefined ? {} : { source: one.source }),
      object: toSafeObject(one, helm.kubernetes),
    }))
    .filter((item, index) => {
      chars += JSON.stringify(item).length;
      return index === 0 || chars <= (args.maxTokens ?? DEFAULT_TOKENS) * CHARS_PER_TOKEN;
    });
  const end = skip + items.length;
  return {
    summary: countOf(wanted.length, 'object'),
    head,
    list: {
      key: 'manifest',
      items,
      total: wanted.length,
      resume: { state: { skip }, ...(end < wanted.length ? { end: { skip: end } } : {}) },
      ...(end < wanted.length ? { reason: 'budget' as const } : {}),
      narrow: `Name objects with fields, such as ["${wanted[end]?.ref ?? 'Deployment/web'}"].`,
    },
    ...(wanted.length === 0
      ? { empty: { reason: 'no_match', detail: `Rendered are: ${manifest.objects.map(({ ref }) => ref).join(', ')}` } }
      : {}),
    warnings: unreadableWarning(manifest),
    untrusted: true,
  };
};

/** What the binary finds; a chart that cannot be rendered is a finding too. */
const lintByBinary = async (rendering: Rendering): Promise<Finding[]> => {
  const { args, ctx } = rendering;
  const linted = await inWorkspace(rendering, async (workspace, chart) => {
    const { stdout, stderr } = await workspace.tryRun(
      { options: toOptions(rendering, 'lint'), positionals: [chart], values: args.values ?? {} },
      ctx,
    );
    return parseLint(`${stdout}\n${stderr}`);
  });
  const rendered = await template(rendering).then(
    ({ objects }) => lintObjects(objects),
    (thrown: unknown) => {
      if (!(thrown instanceof AppError) || thrown.code === 'CANCELLED' || thrown.code === 'DEADLINE_EXCEEDED') throw thrown;
      return linted.some(({ level }) => level === 'error')
        ? []
        : [{ level: 'error' as const, path: 'templates', message: `${thrown.message} ${String(thrown.details['upstream'] ?? '')}` }];
    },
  );
  return [...linted, ...rendered];
};

const LEVELS = ['error', 'warning', 'info'];

const answerLint = async (rendering: Rendering): Promise<Answer> => {
  const { chart, args, helm, ctx, head } = rendering;
  const schema = await checkValues(chart, computeValues(chart, args.values ?? {}));
  const rest = helm.binary.isThere ? await lintByBinary(rendering) : lintTemplates(chart);
  const all = [...schema, ...rest].filter(
    (one, index, list) => list.findIndex((other) => other.path === one.path && other.message === one.message) === index,
  );
  const findings = all.toSorted((a, b) => LEVELS.indexOf(a.level) - LEVELS.indexOf(b.level));
  const count = (level: string): number => findings.filter((one) => one.level === level).length;
  return {
    summary: `${count('error')} errors, ${count('warning')} warnings`,
    head,
    list: { key: 'findings', ...toPage(findings, PAGE, ctx) },
    ...(findings.length === 0 ? { empty: { reason: 'no_match', detail: 'Nothing was found.' } } : {}),
    warnings: helm.binary.isThere
      ? []
      : [`Nothing was rendered: that needs ${HELM_BINARY}. Schema, removed APIs and image tags were checked.`],
    untrusted: true,
  };
};

const VIEWS = { resources: answerResources, manifest: answerManifest, lint: answerLint } as const;

export default [
  tool<Helm, typeof input.shape>({
    name: 'helm_render_chart',
    title: 'Render chart',
    description: 'Renders or lints a chart with values. Changes nothing.',
    effect: 'read',
    input,
    output,
    run: async (args, helm, ctx) => {
      checkReleaseName(args.name);
      const namespace = checkNamespace(args.namespace ?? helm.config.namespace);
      // Whatever fails from here on may repeat them.
      toSafeValues(args.values ?? {}, helm.kubernetes);
      if (args.view !== 'lint' && !helm.binary.isThere)
        throw new AppError('UNSUPPORTED', `Rendering needs ${HELM_BINARY}. View lint works without it.`, {
          details: { needs: 'helm.binary', instead: { tool: 'helm_render_chart', arguments: { chart: args.chart, view: 'lint' } } },
        });
      const opened = await openChart(helm, args, ctx.signal);
      const head = { chart: opened.source.reference, version: opened.chart.version, namespace };
      return VIEWS[args.view]({ ...opened, helm, args, namespace, ctx, head });
    },
  }),
];
