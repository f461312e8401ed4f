// helm_get_chart: what is in a version of a chart.

import { z } from 'zod';
import { countOf } from '../../../kit/count.ts';
import { AppError } from '../../../kit/errors.ts';
import { cursor, fields } from '../../../kit/params.ts';
import { parsePath, select } from '../../../kit/paths.ts';
import type { Answer } from '../../../kit/result.ts';
import { tool } from '../../../kit/tool.ts';
import { type Chart, guessImages } from '../charts/chart.ts';
import { type OpenChart, openChart } from '../charts/open.ts';
import { type Helm, skipOf } from '../helm.ts';
import { toSafeValues, toSafeYaml } from '../release/redact.ts';

const VIEWS = ['metadata', 'values', 'schema', 'readme', 'dependencies', 'images', 'files'] as const;
const TEXT_LINES = 400;
const MAX_FILE_LIST = 300;

const input = z.object({
  chart: z.string().min(1).max(1000).meta({
    description: 'repo/name of a configured repository, oci://host/path/name, or the https URL of a .tgz.',
    sent: 'repo/name, oci:// or https URL',
  }),
  version: z.string().min(1).max(200).optional().describe('Exact, or a range such as ^1.2; absent = newest stable.'),
  view: z.enum(VIEWS).default('metadata').describe('files lists names and sizes, or gives the contents of those in fields.'),
  fields,
  cursor,
});

const anything = z.unknown();
const output = z.object({
  chart: z.string(),
  version: z.string(),
  digest: z.string(),
  metadata: z.record(z.string(), anything),
  lines: z.array(z.string()),
  fields: z.record(z.string(), anything),
  schema: z.record(z.string(), anything),
  dependencies: z.array(z.record(z.string(), anything)),
  images: z.array(z.string()),
  files: z.array(z.record(z.string(), anything)),
});

type Args = z.infer<typeof input>;

interface View {
  readonly helm: Helm;
  readonly args: Args;
  readonly opened: OpenChart;
  readonly head: Record<string, unknown>;
  readonly skip: number;
}

/** A long text, some lines at a time. */
const answerText = (text: string, { head, skip }: View): Answer => {
  const lines = text.replace(/\s+$/, '').split('\n');
  const items = lines.slice(skip, skip + TEXT_LINES);
  const end = skip + items.length;
  return {
    summary: countOf(lines.length, 'line'),
    head,
    list: {
      key: 'lines',
      items,
      total: lines.length,
      resume: { state: { skip }, ...(end < lines.length ? { end: { skip: end } } : {}) },
      narrow: 'Name paths of values, or files, with fields.',
    },
    untrusted: true,
  };
};

const answerFields = (value: Readonly<Record<string, unknown>>, paths: readonly string[], { head }: View): Answer => {
  const found = paths.map((path) => [path, select(value, parsePath(path))] as const).filter(([, one]) => one !== undefined);
  const absent = paths.filter((path) => !found.some(([key]) => key === path));
  return {
    head,
    sections: [{ key: 'fields', value: Object.fromEntries(found) }],
    ...(absent.length > 0 ? { warnings: [`Not there: ${absent.join(', ')}.`] } : {}),
    untrusted: true,
  };
};

const answerFiles = (view: View): Answer => {
  const { opened, args, head } = view;
  const { files } = opened.chart;
  if (args.fields !== undefined) {
    const wanted = args.fields.map((name) => [name, files.get(name)] as const);
    const missing = wanted.filter(([, body]) => body === undefined).map(([name]) => name);
    if (missing.length > 0)
      throw new AppError('NOT_FOUND', `The chart has no file ${missing[0]?.slice(0, 200)}.`, {
        details: { argument: 'fields', choices: [...files.keys()].slice(0, 50) },
      });
    if (wanted.length === 1) return answerText(wanted[0]?.[1]?.toString('utf8') ?? '', view);
    return {
      head,
      sections: [{ key: 'fields', value: Object.fromEntries(wanted.map(([name, body]) => [name, body?.toString('utf8')])) }],
      untrusted: true,
    };
  }
  const all = [...files].map(([name, body]) => ({ name, size: body.length })).sort((a, b) => (a.name < b.name ? -1 : 1));
  const items = all.slice(view.skip, view.skip + MAX_FILE_LIST);
  const end = view.skip + items.length;
  return {
    summary: `${all.length} files`,
    head,
    list: {
      key: 'files',
      items,
      total: all.length,
      resume: { state: { skip: view.skip }, ...(end < all.length ? { end: { skip: end } } : {}) },
      narrow: 'Name files in fields for their contents.',
    },
    untrusted: true,
  };
};

const toDependencies = ({ metadata, subcharts }: Chart): Record<string, unknown>[] => {
  const declared = Array.isArray(metadata['dependencies']) ? (metadata['dependencies'] as Record<string, unknown>[]) : [];
  const vendored = new Map(subcharts.map(({ name, version }) => [name, version]));
  return declared.map((one) => ({ ...one, inArchive: vendored.get(String(one['name'])) ?? 'missing' }));
};

const answerMetadata = ({ opened: { chart, source }, head }: View): Answer => {
  const { name: _, version: __, dependencies: ___, apiVersion: ____, ...metadata } = chart.metadata;
  return {
    summary: `Chart ${chart.name} ${chart.version}${metadata['deprecated'] === true ? ', DEPRECATED' : ''}`,
    head,
    sections: [
      { key: 'metadata', value: metadata },
      ...(chart.metadata['dependencies'] === undefined ? [] : [{ key: 'dependencies', value: toDependencies(chart) }]),
      {
        key: 'files',
        value: [
          {
            templates: [...chart.files.keys()].filter((path) => path.startsWith('templates/')).length,
            crds: [...chart.files.keys()].filter((path) => path.startsWith('crds/')).length,
            schema: chart.schema !== undefined,
            readme: chart.readme !== undefined,
          },
        ],
      },
    ],
    ...(source.isVerified ? {} : { warnings: ['The source tells no digest beforehand: what came is what is named here.'] }),
    next: [
      { tool: 'helm_get_chart', arguments: { chart: source.reference, version: chart.version, view: 'values' }, why: 'its default values' },
    ],
    untrusted: true,
  };
};

const nothing = (detail: string, { head }: View): Answer => ({ head, empty: { reason: 'no_match', detail } });

const answer = async (view: View): Promise<Answer> => {
  const { chart } = view.opened;
  const { kubernetes } = view.helm;
  switch (view.args.view) {
    case 'metadata':
      return answerMetadata(view);
    case 'values':
      if (view.args.fields !== undefined) return answerFields(toSafeValues(chart.values, kubernetes), view.args.fields, view);
      return chart.valuesText === ''
        ? nothing('The chart has no default values.', view)
        : answerText(await toSafeYaml(chart.valuesText, kubernetes), view);
    case 'schema':
      if (chart.schema === undefined) return nothing('The chart has no values.schema.json.', view);
      return view.args.fields !== undefined
        ? answerFields(chart.schema, view.args.fields, view)
        : { head: view.head, sections: [{ key: 'schema', value: chart.schema }], untrusted: true };
    case 'readme':
      return chart.readme === undefined ? nothing('The chart has no README.md.', view) : answerText(chart.readme, view);
    case 'dependencies': {
      const dependencies = toDependencies(chart);
      return dependencies.length === 0
        ? nothing('The chart depends on no other.', view)
        : { head: view.head, sections: [{ key: 'dependencies', value: dependencies }], untrusted: true };
    }
    case 'images':
      return {
        head: view.head,
        sections: [{ key: 'images', value: guessImages(chart) }],
        warnings: ['A guess from default values and templates: helm_render_chart shows what values make of them.'],
        untrusted: true,
      };
    case 'files':
      return answerFiles(view);
  }
};

export default [
  tool<Helm, typeof input.shape>({
    name: 'helm_get_chart',
    title: 'Get chart',
    description: 'Reads a chart: values, schema, README, dependencies, images. Use before helm_deploy_release.',
    effect: 'read',
    cacheFor: '10m',
    input,
    output,
    run: async (args, helm, ctx) => {
      const opened = await openChart(helm, args, ctx.signal);
      const { chart, source } = opened;
      return answer({
        helm,
        args,
        opened,
        head: { chart: source.reference, version: chart.version, digest: source.digest },
        skip: skipOf(ctx),
      });
    },
  }),
];
