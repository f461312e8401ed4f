// Our tools against kubectl on the same objects of a real API server: the same words for the same states.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCommand } from '../backends/command.ts';
import { readMirror } from '../backends/kubernetes/bed.ts';
import { loadObjects } from '../backends/kubernetes/mirror-objects.ts';
import { openApp, type Shop } from '../support/shop.ts';
import { KINDS, ROLLOUTS, SPACE } from './parity/states.ts';

type Row = Readonly<Record<string, string>>;

/** Ages differ by the second in which they are asked for. */
const withoutAges = (text: string): string => text.replaceAll(/\b(?:\d+[ydhms])+\b/g, '<age>').trim();

/** Rows of kubectl's table by name; columns are told apart by where their headers begin. */
const parseTable = (text: string): ReadonlyMap<string, Row> => {
  const [header = '', ...lines] = text.split('\n').filter((line) => line !== '');
  const columns = [...header.matchAll(/\S+(?: \S+)*/g)].map(({ 0: name, index }) => ({ name, index }));
  const rows = lines.map((line) =>
    Object.fromEntries(columns.map(({ name, index }, at) => [name, withoutAges(line.slice(index, columns[at + 1]?.index))])),
  );
  return new Map(rows.map((row) => [row['NAME'] ?? '', row]));
};

const STATES = Object.entries(KINDS).flatMap(([kind, objects]) => objects.map(({ metadata }) => ({ kind, name: metadata.name })));

describe('parity with kubectl', () => {
  const mirror = readMirror();
  let server: Omit<Shop, 'embedded'>;
  const theirs = new Map<string, ReadonlyMap<string, Row>>();
  const ours = new Map<string, ReadonlyMap<string, Row>>();

  const kubectl = (...args: readonly string[]) => runCommand(mirror.kubectl, args, { env: { KUBECONFIG: mirror.kubeconfig } });
  const list = async (kind: string): Promise<ReadonlyMap<string, Row>> => {
    const { structured } = await server.call('kubernetes_list_resources', { kind, namespace: SPACE, limit: 500, maxTokens: 20_000 });
    const columns = structured['columns'] as string[];
    const rows = (structured['rows'] as unknown[][]).map(
      (cells): Row => Object.fromEntries(columns.map((column, index) => [column, withoutAges(String(cells[index] ?? ''))])),
    );
    return new Map(rows.map((row) => [row['NAME'] ?? '', row]));
  };

  beforeAll(async () => {
    await loadObjects(mirror, Object.values(KINDS).flat());
    server = await openApp({ 'kubernetes.kubeconfig': mirror.kubeconfig, 'kubernetes.qps': 5000, 'kubernetes.burst': 5000 });
    for (const kind of Object.keys(KINDS)) {
      theirs.set(kind, parseTable((await kubectl('get', kind, '--namespace', SPACE, '--output', 'wide')).stdout));
      ours.set(kind, await list(kind));
    }
  });
  afterAll(() => server?.close());

  it('is shown on at least sixty states', () => {
    expect(STATES.length).toBeGreaterThanOrEqual(60);
  });

  it.each(STATES)('$kind $name: the cells of the list', ({ kind, name }) => {
    const [expected, given] = [theirs.get(kind)?.get(name), ours.get(kind)?.get(name)];
    expect(given).toBeDefined();
    const compared = Object.fromEntries(Object.keys(given ?? {}).map((column) => [column, expected?.[column]]));
    expect(given).toEqual(compared);
    // What kubectl shows without -o wide is all there.
    expect(Object.keys(given ?? {})).toEqual(expect.arrayContaining(['NAME', 'AGE'].filter((column) => expected?.[column] !== undefined)));
  });

  const WITH_STATUS = STATES.filter(({ kind }) =>
    ['Pod', 'Job', 'Node', 'PersistentVolumeClaim', 'PersistentVolume', 'Namespace'].includes(kind),
  );
  it.each(WITH_STATUS)('$kind $name: the status of the diagnosis', async ({ kind, name }) => {
    const expected = theirs.get(kind)?.get(name) ?? {};
    const { structured } = await server.call('kubernetes_find_problems', { kind, name, namespace: SPACE });
    if (kind !== 'Pod') return expect(structured['status']).toBe(expected['STATUS']);
    const summary = await server.call('kubernetes_get_resource', { kind, name, namespace: SPACE });
    expect(summary.structured['status']).toMatchObject({ status: expected['STATUS'], ready: expected['READY'] });
    const restarts = /^\d+/.exec(expected['RESTARTS'] ?? '')?.[0];
    expect(structured['status']).toBe(`${expected['STATUS']}, ${expected['READY']} ready, ${restarts} restarts`);
  });

  it.each(ROLLOUTS.map(({ kind, metadata }) => ({ kind, name: metadata.name })))(
    '$kind $name: the state of the rollout',
    async ({ kind, name }) => {
      const { code, stdout, stderr } = await kubectl('rollout', 'status', `${kind}/${name}`, '--namespace', SPACE, '--watch=false');
      const words = (code === 0 ? stdout : stderr.replace(/^error: /, '')).trim();
      const { structured } = await server.call('kubernetes_wait_for_resource', {
        kind,
        name,
        namespace: SPACE,
        condition: 'rollout',
        timeout: '200ms',
      });
      expect(structured['state']).toBe(words);
      const isDone = /successfully rolled out|roll out complete|update complete/.test(words);
      expect(structured['result']).toBe(code !== 0 ? 'failed' : isDone ? 'met' : 'timeout');
      if (/only available for RollingUpdate/.test(words)) return;
      const view = await server.call('kubernetes_get_resource', { kind, name, namespace: SPACE, view: 'rollout' });
      expect(view.structured['rollout']).toMatchObject({
        message: words,
        state: code !== 0 ? 'stuck' : isDone ? 'complete' : 'progressing',
      });
    },
  );
});
