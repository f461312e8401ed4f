// YAML as people write it for this server: configuration and policy. The parser is loaded with the first text.

/** A key of this name is no key: assigning it exchanges the prototype of the object that should hold it. */
const FORBIDDEN = '__proto__';

const findForbidden = (value: unknown, path = ''): string | undefined => {
  if (typeof value !== 'object' || value === null) return undefined;
  for (const [name, item] of Object.entries(value)) {
    const at = path === '' ? name : `${path}.${name}`;
    if (name === FORBIDDEN) return at;
    const found = findForbidden(item, at);
    if (found !== undefined) return found;
  }
  return undefined;
};

/** @throws Error in one line of words when the text is no YAML, or holds a key that must not be one */
export const parseYaml = async (text: string): Promise<unknown> => {
  const { parse } = await import('yaml');
  let tree: unknown;
  try {
    tree = parse(text);
  } catch (cause) {
    throw new Error(cause instanceof Error ? (cause.message.split('\n')[0] ?? '').replace(/:$/, '') : 'no YAML', { cause });
  }
  const forbidden = findForbidden(tree);
  if (forbidden !== undefined) throw new Error(`the key ${forbidden.slice(0, 200)} is not allowed.`);
  return tree;
};
