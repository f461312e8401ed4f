// The configuration in effect: every key with its value and where it came from, secrets as ***.

import { getAt, isTree, listKeys, maskValue, type Shape } from './keys.ts';

export interface PrintedKey {
  readonly key: string;
  /** Secrets are `***`. */
  readonly value: unknown;
  /** `default`, `file`, `environment MCP_X`, `flag --x`. */
  readonly source: string;
}

export interface Effective {
  readonly config: unknown;
  readonly from: ReadonlyMap<string, string>;
  readonly shape: Shape;
}

const toSource = (from: string | undefined): string => {
  if (from === undefined) return 'default';
  if (from.startsWith('file')) return from.replace(/^file, /, 'file, environment ');
  return from.startsWith('--') ? `flag ${from}` : `environment ${from}`;
};

/** Keys with a value, in the order of the reference. */
export const toPrinted = ({ config, from, shape }: Effective): PrintedKey[] =>
  listKeys(shape).flatMap(({ key, schema }) => {
    const value = getAt(config, key);
    return value === undefined ? [] : [{ key, value: maskValue(value, schema), source: toSource(from.get(key)) }];
  });

/** As YAML, the source of each key behind it. */
export const toYaml = async (keys: readonly PrintedKey[]): Promise<string> => {
  const { Document, isNode } = await import('yaml');
  const document = new Document({});
  for (const { key, value, source } of keys) {
    const isEmpty = isTree(value) ? Object.keys(value).length === 0 : Array.isArray(value) && value.length === 0;
    const node = document.createNode(value, { flow: isEmpty });
    // A comment behind a block would stand at its end, where it explains nothing.
    if (isNode(node) && (isEmpty || typeof value !== 'object')) node.comment = ` ${source}`;
    else if (isNode(node)) node.commentBefore = ` ${source}`;
    document.setIn(key.split('.'), node);
  }
  return document.toString({ lineWidth: 0 });
};
