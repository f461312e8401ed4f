// Makes protobuf.json.gz beside it: field numbers and types of the built-in kinds, from the struct tags of Kubernetes' Go modules. Not part of the run time.
//   node make-protobuf.ts <folder of the k8s.io modules> <version of the modules, as v0.37.2>
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { gunzipSync, gzipSync } from 'node:zlib';

/** Name in JSON, type, `list` or `map`, `p` for pointers or `o` for what is left out when zero, `i` for what is inlined. */
type Field = [name: string, type: string, shape: string, holding: string, inline?: 'i'];

const [modules, version] = process.argv.slice(2);
if (modules === undefined || version === undefined) throw new Error('usage: node make-protobuf.ts <folder> <version>');

const description: { definitions: Record<string, { 'x-kubernetes-group-version-kind'?: unknown }> } = JSON.parse(
  gunzipSync(readFileSync(new URL('openapi.json.gz', import.meta.url))).toString('utf8'),
);

const api = `${modules}/api@${version}`;
const META = 'io.k8s.apimachinery.pkg.apis.meta.v1';
const QUANTITY = 'io.k8s.apimachinery.pkg.api.resource.Quantity';
const groups = readdirSync(api).filter((group) => statSync(`${api}/${group}`).isDirectory());
const versions = groups.flatMap((group) => readdirSync(`${api}/${group}`).map((name): [string, string] => [group, name]));
const folders = [
  ...versions.map(([group, name]): [string, string] => [`${api}/${group}/${name}`, `io.k8s.api.${group}.${name}`]),
  [`${modules}/apimachinery@${version}/pkg/apis/meta/v1`, META] as [string, string],
].filter(([folder]) => existsSync(`${folder}/generated.pb.go`));

const PLAIN = new Set(['string', 'int32', 'int64', 'bool', 'float64']);
const types: Record<string, Record<string, Field>> = {};
/** Types that are another name of a plain one. */
const names: Record<string, string> = {};

const importsOf = (text: string): Record<string, string> => {
  const imports: Record<string, string> = {};
  for (const [, alias, path = ''] of text.matchAll(/^\s*(?:import\s+)?(\w+)?\s*"k8s\.io\/([^"]+)"$/gm)) {
    imports[alias ?? path.split('/').at(-1) ?? ''] = `io.k8s.${path.replaceAll('/', '.')}`;
  }
  return imports;
};

const shapeOf = (goType: string): [type: string, shape: string] => {
  const bare = goType.replace(/^\*/, '');
  if (bare === '[]byte') return ['bytes', ''];
  const map = /^map\[\w+\](.*)$/.exec(bare)?.[1];
  if (map !== undefined) return [map === '[]byte' ? 'bytes' : map, 'map'];
  return bare.startsWith('[]') ? [bare.slice(2).replace(/^\*/, ''), 'list'] : [bare, ''];
};

const readField = (line: string, qualify: (type: string) => string): [number: string, field: Field] | undefined => {
  const goType = /^\t(?:\w+\s+)?([\w.*[\]]+)\s+`/.exec(line)?.[1];
  const [json, number] = [/json:"([^"]*)"/.exec(line)?.[1], /protobuf:"\w+,(\d+)/.exec(line)?.[1]];
  if (goType === undefined || json === undefined || number === undefined) return undefined;
  const [name = '', ...options] = json.split(',');
  const [type, shape] = shapeOf(goType);
  const holding = goType.startsWith('*') ? 'p' : options.includes('omitempty') ? 'o' : '';
  const inline = name === '' || options.includes('inline');
  return [number, inline ? [name, qualify(type), shape, holding, 'i'] : [name, qualify(type), shape, holding]];
};

for (const [folder, own] of folders) {
  for (const file of readdirSync(folder).filter((name) => name.endsWith('.go') && !/_test|zz_|generated/.test(name))) {
    const text = readFileSync(`${folder}/${file}`, 'utf8');
    const imports = importsOf(text);
    const qualify = (type: string): string => {
      if (PLAIN.has(type) || type === 'bytes') return type;
      const [first = '', second] = type.split('.');
      return second === undefined ? `${own}.${first}` : `${imports[first]}.${second}`;
    };
    for (const [, name, body = ''] of text.matchAll(/^type (\w+) struct \{\n([\s\S]*?)^\}/gm)) {
      const pairs = body
        .split('\n')
        .map((line) => readField(line, qualify))
        .filter((field) => field !== undefined);
      if (pairs.length > 0) types[`${own}.${name}`] = Object.fromEntries(pairs);
    }
    for (const [, name, plain = ''] of text.matchAll(/^type (\w+) (string|int32|int64|bool)$/gm)) names[`${own}.${name}`] = plain;
  }
}

const settle = ([name, type, shape, ...rest]: Field): Field => {
  if (type.endsWith('.ResourceList')) return [name, QUANTITY, 'map', ...rest];
  return [name, /\.(UID|NodeName)$/.test(type) ? 'string' : (names[type] ?? type), shape, ...rest];
};

const kept: Record<string, Record<string, Field>> = {};
const keep = (name: string): void => {
  const fields = types[name];
  if (fields === undefined || kept[name] !== undefined) return;
  kept[name] = Object.fromEntries(Object.entries(fields).map(([number, field]) => [number, settle(field)]));
  for (const [, type] of Object.values(kept[name])) keep(type);
};
for (const [name, { 'x-kubernetes-group-version-kind': kind }] of Object.entries(description.definitions)) {
  if (kind !== undefined && !name.endsWith('List')) keep(name);
}
const sorted = Object.fromEntries(Object.entries(kept).sort(([left], [right]) => (left < right ? -1 : 1)));
writeFileSync(new URL('protobuf.json.gz', import.meta.url), gzipSync(JSON.stringify(sorted), { level: 9 }));
