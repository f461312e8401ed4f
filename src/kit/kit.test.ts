import fc from 'fast-check';
import { countTokens } from 'gpt-tokenizer/encoding/o200k_base';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { parseArguments } from './arguments.ts';
import { fitAnswer } from './budget.ts';
import { formatDuration, parseTime, toMilliseconds } from './duration.ts';
import { toNameMatcher, toRegexMatcher } from './match.ts';
import { nearestNames } from './nearest.ts';
import { parsePath, select, selectAll } from './paths.ts';
import { createSealer, toBinding } from './seal.ts';
import { estimateTokens } from './tokens.ts';

const catchError = (work: () => unknown): unknown => {
  try {
    return work();
  } catch (thrown) {
    return thrown;
  }
};

describe('reading arguments', () => {
  const schema = z.object({
    kind: z.string(),
    limit: z.int().min(1).max(500).default(50),
    previous: z.boolean().optional(),
    fields: z.array(z.string()).optional(),
    patch: z.record(z.string(), z.unknown()).optional(),
    view: z.enum(['table', 'names']).default('table'),
    labelSelector: z.string().optional(),
  });

  it('takes "5" for 5, "true" for true, JSON text for objects, and comma lists for lists', () => {
    expect(parseArguments(schema, { kind: 'pods', limit: '5', previous: 'True', fields: 'a.b, c', patch: '{"a":1}' })).toEqual({
      kind: 'pods',
      limit: 5,
      previous: true,
      fields: ['a.b', 'c'],
      patch: { a: 1 },
      view: 'table',
    });
    expect(parseArguments(schema, { kind: 'pods', fields: '["a"]' })).toMatchObject({ fields: ['a'] });
  });

  it('accepts snake_case names, takes null for absent, and ignores debug', () => {
    expect(parseArguments(schema, { kind: 'pods', label_selector: 'a=b', previous: null, debug: true })).toMatchObject({
      labelSelector: 'a=b',
    });
  });

  it('names an unknown argument and the nearest known one', () => {
    expect(catchError(() => parseArguments(schema, { kind: 'pods', limt: 5 }))).toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringContaining('limt'),
      details: { nearest: ['limit'] },
    });
  });

  it('says what a wrong value should be', () => {
    expect(catchError(() => parseArguments(schema, {}))).toMatchObject({ message: 'kind is required.', details: { argument: 'kind' } });
    expect(catchError(() => parseArguments(schema, { kind: 'pods', limit: 'many' }))).toMatchObject({
      details: { argument: 'limit', expected: 'number' },
    });
    expect(catchError(() => parseArguments(schema, { kind: 'pods', limit: 900 }))).toMatchObject({ details: { expected: 'at most 500' } });
    expect(catchError(() => parseArguments(schema, { kind: 'pods', view: 'tabel' }))).toMatchObject({ details: { nearest: ['table'] } });
    expect(catchError(() => parseArguments(schema, [1]))).toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  it('refuses prototype keys, deep nesting and floods before it looks further (SEED-MW-04)', () => {
    expect(catchError(() => parseArguments(schema, JSON.parse('{"kind":"pods","patch":{"__proto__":{"x":1}}}')))).toMatchObject({
      code: 'INVALID_ARGUMENT',
    });
    const deep = Array.from({ length: 100 }).reduce<unknown>((inner) => ({ inner }), {});
    expect(catchError(() => parseArguments(schema, { kind: 'pods', patch: deep }))).toMatchObject({ details: { limit: 32 } });
    expect(catchError(() => parseArguments(schema, { kind: 'pods', fields: Array.from({ length: 20_000 }, String) }))).toMatchObject({
      details: { limit: 10_000 },
    });
  });

  it('never throws anything but INVALID_ARGUMENT, whatever comes', () => {
    fc.assert(
      fc.property(fc.anything(), (raw) => {
        const thrown = catchError(() => parseArguments(schema, raw));
        expect(thrown instanceof Error ? (thrown as { code?: string }).code : 'INVALID_ARGUMENT').toBe('INVALID_ARGUMENT');
      }),
      { numRuns: 300 },
    );
  });
});

describe('the token estimate', () => {
  const hex = (length: number): string => Array.from({ length }, (_, at) => ((at * 7919 + 13) % 16).toString(16)).join('');
  const samples: Readonly<Record<string, string>> = {
    prose: 'The deployment rolled out and every pod is ready; nothing else needs to be done here. '.repeat(40),
    json: JSON.stringify(
      Array.from({ length: 60 }, (_, at) => ({
        name: `web-${hex(9)}-${at}`,
        ready: '2/2',
        status: 'Running',
        restarts: at,
        age: `${at}m`,
      })),
    ),
    table: Array.from(
      { length: 60 },
      (_, at) => `checkout-6795d8f979-${hex(5)}  2/2    Running  ${at}         7m${at}s   node-0${at}`,
    ).join('\n'),
    hashes: Array.from({ length: 60 }, (_, at) => hex(40 + at)).join('\n'),
    logs: Array.from(
      { length: 40 },
      (_, at) =>
        `2026-11-22T10:${at}:11.123Z level=error msg="timeout acquiring connection from pool (size=2, waited 45${at}ms)" trace=${hex(32)}`,
    ).join('\n'),
    chinese: '日志错误：连接超时，请重试。'.repeat(60),
    emoji: '🚀🔥✅❌'.repeat(60),
    yaml: 'apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n  labels:\n    app.kubernetes.io/name: web\n'.repeat(20),
  };

  it.each(Object.entries(samples))('lies between 0.95 and 1.45 of o200k for %s', (_, text) => {
    const ratio = estimateTokens(text) / countTokens(text);
    expect(ratio).toBeGreaterThan(0.95);
    expect(ratio).toBeLessThan(1.45);
  });
});

describe('the budget', () => {
  const seal = (state: Readonly<Record<string, unknown>>): string => JSON.stringify(state);
  const rows = Array.from({ length: 400 }, (_, at) => [`pod-${at}`, 'Running', `a rather long remark about pod number ${at}`]);
  const list = {
    key: 'rows',
    columns: ['NAME', 'STATUS', 'REMARK'],
    items: rows,
    optional: ['REMARK'],
    total: 4000,
    resume: { state: {}, after: rows.map(([name]) => [name]), end: { after: ['pod-399'] } },
  };

  it('keeps within its tokens, keeps the total exact, and says why and how to go on (RULE-03)', () => {
    const { structured, text } = fitAnswer({ head: { cluster: 'a' }, list }, { maxTokens: 800, seal });
    const page = structured['page'] as { total: number; shown: number; next: string; reason: string };
    expect(Math.max(estimateTokens(text), estimateTokens(JSON.stringify(structured)))).toBeLessThanOrEqual(800);
    expect(page).toMatchObject({ total: 4000, reason: 'budget' });
    expect(JSON.parse(page.next)).toEqual({ after: [`pod-${page.shown - 1}`] });
    expect(structured['columns']).toEqual(['NAME', 'STATUS']);
    expect(structured['warnings']).toEqual(['Columns left out for the budget: REMARK.']);
  });

  it('leaves an answer that fits as it is', () => {
    const { structured } = fitAnswer(
      { list: { ...list, items: rows.slice(0, 5), total: 5, resume: { state: {} } } },
      { maxTokens: 4000, seal },
    );
    expect(structured['page']).toEqual({ total: 5, shown: 5 });
  });

  it('keeps the newest lines where the end is worth more', () => {
    const { structured } = fitAnswer(
      { list: { key: 'rows', columns: ['TEXT'], items: rows.map(([name]) => [name]), keep: 'last', total: 400 } },
      { maxTokens: 300, seal },
    );
    expect((structured['rows'] as string[][]).at(-1)).toEqual(['pod-399']);
  });

  it('drops the last sections first and names them', () => {
    const sections = ['first', 'second', 'third'].map((key) => ({
      key,
      value: Array.from({ length: 40 }, (_, at) => `${key} line ${at}`),
    }));
    const { structured } = fitAnswer({ sections }, { maxTokens: 400, seal });
    expect(Object.keys(structured)).toEqual(['first', 'warnings']);
    expect(structured['warnings']).toEqual(['Left out for the budget: second, third. Ask with fields, or with more maxTokens.']);
  });

  it('fits anything, however large one value is', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4 }), fc.integer({ min: 300, max: 2000 }), (value, maxTokens) => {
        const huge = { text: 'x '.repeat(20_000), list: Array.from({ length: 3000 }, (_, at) => ({ at, value })) };
        const { structured, text } = fitAnswer({ sections: [{ key: 'huge', value: huge }] }, { maxTokens, seal });
        expect(Math.max(estimateTokens(text), estimateTokens(JSON.stringify(structured)))).toBeLessThanOrEqual(Math.max(maxTokens, 1200));
      }),
      { numRuns: 15 },
    );
  });
});

describe('sealed tokens', () => {
  const sealer = createSealer('k'.repeat(32));
  const binding = toBinding('caller', 'tool');

  it('come back as they went, for their purpose, binding and time alone', () => {
    const token = sealer.seal('cursor', binding, { after: 'x' }, 1000);
    expect(sealer.open('cursor', binding, token, 999)).toEqual({ value: { after: 'x' } });
    expect(sealer.open('cursor', binding, token, 1001)).toEqual({ refused: 'expired' });
    expect(sealer.open('plan', binding, token, 0)).toEqual({ refused: 'invalid' });
    expect(sealer.open('cursor', toBinding('other', 'tool'), token, 0)).toEqual({ refused: 'invalid' });
    expect(createSealer('j'.repeat(32)).open('cursor', binding, token, 0)).toEqual({ refused: 'invalid' });
  });

  it('cannot be altered or made up', () => {
    const token = sealer.seal('cursor', binding, { after: 'x' }, 1000);
    fc.assert(
      fc.property(fc.nat(token.length - 1), fc.constantFrom('A', 'b', '7', '-'), (at, letter) => {
        const altered = token.slice(0, at) + letter + token.slice(at + 1);
        const isSame = Buffer.from(altered, 'base64url').equals(Buffer.from(token, 'base64url'));
        expect(sealer.open('cursor', binding, altered, 0)).toEqual(isSame ? { value: { after: 'x' } } : { refused: 'invalid' });
      }),
    );
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(sealer.open('cursor', binding, text, 0)).toEqual({ refused: 'invalid' });
      }),
    );
  });
});

describe('times, names and paths', () => {
  it('reads durations and times in every form', () => {
    const now = Date.parse('2026-03-01T12:00:00Z');
    expect(['500ms', '30s', '1h30m', '7d', '5', '-5m', ''].map(toMilliseconds)).toEqual([
      500,
      30_000,
      5_400_000,
      604_800_000,
      undefined,
      undefined,
      undefined,
    ]);
    expect(
      ['now', 'now-15m', '15m', '1772366400', '1772366400000', '2026-03-01T11:45:00Z'].map((text) => now - parseTime(text, 'since', now)),
    ).toEqual([0, 900_000, 900_000, 0, 0, 900_000]);
    expect(catchError(() => parseTime('yesterday', 'since', now))).toMatchObject({
      code: 'INVALID_ARGUMENT',
      details: { argument: 'since' },
    });
    expect([90_000, 3_600_000, 450].map(formatDuration)).toEqual(['1m30s', '1h', '450ms']);
  });

  it('finds near names', () => {
    expect(nearestNames('deploymnet', ['deployments', 'pods', 'daemonsets'])).toEqual(['deployments']);
    expect(nearestNames('xyzzy', ['deployments', 'pods'])).toEqual([]);
  });

  it('matches substrings, globs and regular expressions that cannot hang', async () => {
    expect((await toNameMatcher('EB'))('web-1')).toBe(true);
    expect((await toNameMatcher('web-*-x?'))('web-abc-x1')).toBe(true);
    expect((await toNameMatcher('/^web-\\d+$/'))('web-12')).toBe(true);
    expect((await toRegexMatcher('(a+)+$', 'grep'))(`${'a'.repeat(5000)}!`)).toBe(false);
    await expect(toRegexMatcher('(?=x)', 'grep')).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  it('follows paths in every accepted form', () => {
    const pod = {
      metadata: { labels: { 'app.kubernetes.io/name': 'web' } },
      spec: {
        containers: [
          { name: 'a', image: 'x' },
          { name: 'b', image: 'y' },
        ],
      },
      status: { conditions: [{ type: 'Ready', status: 'True' }] },
    };
    const at = (path: string): unknown => select(pod, parsePath(path));
    expect(at('spec.containers[0].image')).toBe('x');
    expect(at('$.spec.containers[*].name')).toEqual(['a', 'b']);
    expect(at('{.metadata.labels["app.kubernetes.io/name"]}')).toBe('web');
    expect(at('status.conditions[?type=Ready].status')).toBe('True');
    expect(at('status.conditions[?(@.type=="Ready")].status')).toBe('True');
    expect(at('spec.nothing.here')).toBeUndefined();
    expect(selectAll(pod, parsePath('spec.containers[-1].name'))).toEqual(['b']);
    expect(catchError(() => parsePath('spec.containers[oops'))).toMatchObject({
      code: 'INVALID_ARGUMENT',
      details: { argument: 'fields' },
    });
  });
});
