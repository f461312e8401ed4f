import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { diffObjects, restore, toPathText } from './difference.ts';

const paths = (before: unknown, after: unknown) => diffObjects(before, after).map(({ path }) => toPathText(path));

describe('a difference', () => {
  it('is told by paths that people read', () => {
    expect(paths({ spec: { replicas: 1 } }, { spec: { replicas: 2 } })).toEqual(['spec.replicas']);
    expect(paths({ metadata: {} }, { metadata: { labels: { 'app.kubernetes.io/name': 'x' } } })).toEqual([
      'metadata.labels["app.kubernetes.io/name"]',
    ]);
    const container = (image: string) => ({
      containers: [
        { name: 'a', image: 'same' },
        { name: 'b', image },
      ],
    });
    expect(paths(container('1'), container('2'))).toEqual(['containers[name=b].image']);
    expect(
      paths(
        { ports: [{ port: 80, protocol: 'TCP' }] },
        {
          ports: [
            { port: 80, protocol: 'TCP' },
            { port: 81, protocol: 'TCP' },
          ],
        },
      ),
    ).toEqual(['ports[port=81,protocol=TCP]']);
    expect(paths({ args: ['a', 'b'] }, { args: ['b', 'a'] })).toEqual(['args']);
    // Another order of named things is a change of the whole list.
    expect(paths({ env: [{ name: 'a' }, { name: 'b' }] }, { env: [{ name: 'b' }, { name: 'a' }] })).toEqual(['env']);
  });

  it('is taken back, item by item, where it stood', () => {
    const before = { containers: [{ name: 'a' }, { name: 'b', image: 'x' }, { name: 'c' }] };
    const after = { containers: [{ name: 'a' }, { name: 'c' }] };
    expect(restore(after, diffObjects(before, after))).toEqual({ object: before, conflicts: [] });
  });

  it('is taken back in the order that was, also beside items that came', () => {
    const before = { env: [{ name: 'b', value: '1' }, { name: 'c' }] };
    const after = { env: [{ name: 'a' }, { name: 'b', value: '2' }] };
    expect(restore(after, diffObjects(before, after)).object).toEqual(before);
  });

  it('is not taken back where another has changed the field since', () => {
    const differences = diffObjects({ a: 1, b: 1 }, { a: 2, b: 2 });
    const { object, conflicts } = restore({ a: 2, b: 3 }, differences);
    expect([object, conflicts.map(({ path }) => toPathText(path))]).toEqual([{ a: 1, b: 3 }, ['b']]);
  });

  it('knows keys that are names of JavaScript', () => {
    const parse = (text: string) => JSON.parse(text) as Record<string, unknown>;
    const [before, after] = [parse('{"data":{"__proto__":"one","constructor":"a"}}'), parse('{"data":{"__proto__":"two"}}')];
    expect(paths(before, after)).toEqual(['data.__proto__', 'data.constructor']);
    expect(JSON.stringify(restore(after, diffObjects(before, after)).object)).toBe('{"data":{"__proto__":"one","constructor":"a"}}');
    expect(paths({ data: {} }, parse('{"data":{"__proto__":{"x":1}}}'))).toEqual(['data.__proto__']);
    expect(({} as { x?: number }).x).toBeUndefined();
  });

  it('is taken back to the order from before, also where other items came: later variables may use earlier ones', () => {
    const before = { env: [{ name: 'b' }, { name: 'a' }] };
    const after = { env: [{ name: 'c' }, { name: 'b' }] };
    expect(restore(after, diffObjects(before, after))).toEqual({ object: before, conflicts: [] });
  });

  it('of maps of labels within such maps is taken back, too', () => {
    const before = { labels: { labels: { a: 'x' } } };
    expect(restore({}, diffObjects(before, {}))).toEqual({ object: before, conflicts: [] });
  });

  it('between any two objects is taken back to the first (property)', () => {
    const key = fc.constantFrom('a', 'b', 'name', 'labels', 'spec', '__proto__', 'x.y/z');
    const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
      tree: fc.oneof(
        { maxDepth: 4 },
        fc.integer({ min: 0, max: 3 }),
        fc.constantFrom('x', 'y', true, null),
        fc.dictionary(key, tie('tree'), { maxKeys: 4, noNullPrototype: true }),
        fc.array(fc.record({ name: fc.constantFrom('a', 'b', 'c'), value: tie('tree') }, { noNullPrototype: true }), { maxLength: 3 }),
        fc.array(tie('tree'), { maxLength: 3 }),
      ),
    }));
    fc.assert(
      fc.property(
        fc.dictionary(key, tree, { noNullPrototype: true }),
        fc.dictionary(key, tree, { noNullPrototype: true }),
        (before, after) => {
          const restored = restore(after, diffObjects(before, after));
          expect(restored.conflicts).toEqual([]);
          expect(diffObjects(before, restored.object)).toEqual([]);
        },
      ),
      { numRuns: 1000 },
    );
  });
});
