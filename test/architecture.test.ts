// The table of house.md 2 as data: who may import whom. Read from the syntax tree; type-only imports count.

import { existsSync, readFileSync } from 'node:fs';
import { glob } from 'node:fs/promises';
import { dirname, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseAst } from 'rolldown/parseAst';
import { describe, expect, it } from 'vitest';

const src = fileURLToPath(new URL('../src', import.meta.url));

/** Room -> rooms it may import, beside itself. `*` = everything. Longest prefix wins. */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  'main.ts': ['*'],
  'app.ts': ['*'],
  // Parts of app.ts: the settings, and the doors of HTTP, which are loaded on use.
  'settings.ts': ['*'],
  'doors.ts': ['*'],
  'plugins.ts': ['*'],
  'load-settings.ts': ['*'],
  'exposure.ts': ['*'],
  'caching.ts': ['*'],
  'start.ts': ['*'],
  'service-names.ts': ['*'],
  'reload.ts': ['*'],
  commands: ['*'],
  'version.ts': [],
  generated: [],
  server: ['middleware', 'mcp', 'manager', 'kit', 'config', 'store', 'cache', 'secrets', 'audit', 'policy', 'logging', 'observability'],
  middleware: ['kit', 'store', 'cache', 'secrets', 'audit', 'policy', 'logging', 'observability'],
  mcp: ['manager', 'kit', 'store', 'cache', 'secrets', 'audit', 'policy', 'logging', 'observability'],
  manager: ['kit', 'store', 'cache', 'secrets', 'audit', 'policy', 'logging', 'observability'],
  'services/index.ts': ['services', 'kit', 'upstream'],
  services: ['kit', 'upstream'],
  embedded: ['kit'],
  'embedded/shop.ts': [],
  upstream: ['kit'],
  config: ['kit'],
  store: ['kit'],
  cache: ['kit', 'store'],
  secrets: ['kit', 'store'],
  audit: ['kit', 'store'],
  policy: ['kit'],
  logging: ['kit', 'store'],
  observability: ['kit', 'store'],
  kit: [],
};

/** Rooms whose folders must not import each other. */
const APART = ['services', 'middleware', 'embedded'];

interface Import {
  readonly from: string;
  readonly to: string;
}

type Node = { readonly type?: string; readonly source?: { readonly value?: unknown } | null; readonly [key: string]: unknown };

const collect = (node: unknown, found: string[]): void => {
  if (Array.isArray(node)) for (const item of node) collect(item, found);
  if (typeof node !== 'object' || node === null) return;
  const { type, source } = node as Node;
  if (type !== undefined && /^(Import|Export).*(Declaration|Expression)$/.test(type) && typeof source?.value === 'string')
    found.push(source.value);
  for (const value of Object.values(node)) if (typeof value === 'object') collect(value, found);
};

const files: string[] = [];
for await (const file of glob('**/*.ts', { cwd: src })) if (!file.endsWith('.test.ts')) files.push(file);
files.sort();

const imports: Import[] = files.flatMap((file) => {
  const found: string[] = [];
  collect(parseAst(readFileSync(resolve(src, file), 'utf8'), { lang: 'ts' }), found);
  return found
    .filter((specifier) => specifier.startsWith('.'))
    .map((specifier) => ({ from: file, to: relative(src, resolve(src, dirname(file), specifier)) }));
});

/** The shop's facts are one room, told by its door. */
const isShop = (file: string): boolean => file === 'embedded/shop.ts' || file.startsWith('embedded/shop/');
const roomOf = (file: string): string => (isShop(file) ? 'embedded/shop.ts' : file in ALLOWED ? file : (file.split('/')[0] ?? file));
const unitOf = (file: string): string => (isShop(file) ? 'embedded/shop.ts' : file.split('/').slice(0, 2).join('/'));

const isAllowed = ({ from, to }: Import): boolean => {
  const [source, target] = [roomOf(from), roomOf(to)];
  const allowed = ALLOWED[source];
  if (allowed === undefined) return false;
  if (APART.includes(source) && source === target.split('/')[0]) return unitOf(from) === unitOf(to) || to === 'embedded/shop.ts';
  return source === target || allowed.includes('*') || allowed.includes(target.split('/')[0] ?? target);
};

describe('the architecture', () => {
  it('has one room for each component of the guide (SEED-FILES-01)', () => {
    const components = ['server/http.ts', 'services/index.ts', 'manager/manager.ts', 'cache/cache.ts', 'secrets/manager.ts'];
    const middleware = ['auth', 'audit', 'rate-limit', 'security', 'metrics'].map((name) => `middleware/${name}/index.ts`);
    const ground = ['logging/logger.ts', 'observability/metrics.ts', 'audit/index.ts'];
    for (const file of [...components, ...middleware, ...ground]) {
      expect([file, existsSync(resolve(src, file))]).toEqual([file, true]);
      // And the table above has a row for the room it stands in.
      expect(Object.keys(ALLOWED)).toContain(file.split('/')[0]);
    }
  });

  it('has a rule for every room', () => {
    expect(files.map(roomOf).filter((room) => ALLOWED[room] === undefined)).toEqual([]);
  });

  it('has a module for each part that the guide names (SEED-FILES-01)', () => {
    const parts = [
      'server/http.ts',
      ...['auth', 'rate-limit', 'security', 'metrics'].map((name) => `middleware/${name}/index.ts`),
      ...['audit/index.ts', 'services/index.ts', 'manager/manager.ts', 'cache/lru.ts', 'secrets/create.ts', 'logging/logger.ts'],
      'observability/metrics.ts',
    ];
    expect(parts.filter((file) => !files.includes(file))).toEqual([]);
  });

  it('lets every room import only what its row allows (SEED-ARCH-03, SEED-MOD-01)', () => {
    expect(imports.filter((item) => !isAllowed(item)).map(({ from, to }) => `${from} -> ${to}`)).toEqual([]);
  });

  it('keeps main, app and commands at the top: nobody imports them', () => {
    const top = (file: string): boolean =>
      [
        'main.ts',
        'app.ts',
        'settings.ts',
        'doors.ts',
        'plugins.ts',
        'load-settings.ts',
        'exposure.ts',
        'service-names.ts',
        'reload.ts',
        'start.ts',
        'caching.ts',
      ].includes(file) || file.startsWith('commands/');
    expect(imports.filter(({ from, to }) => top(to) && !top(from)).map(({ from, to }) => `${from} -> ${to}`)).toEqual([]);
  });

  it('has no circle between rooms', () => {
    const edges = new Map<string, Set<string>>();
    for (const { from, to } of imports) {
      const [source, target] = [roomOf(from), roomOf(to)];
      if (source !== target) edges.set(source, (edges.get(source) ?? new Set()).add(target));
    }
    const circles: string[] = [];
    const walk = (room: string, path: readonly string[]): void => {
      if (path.includes(room)) circles.push([...path.slice(path.indexOf(room)), room].join(' -> '));
      else for (const next of edges.get(room) ?? []) walk(next, [...path, room]);
    };
    for (const room of edges.keys()) walk(room, []);
    expect([...new Set(circles)]).toEqual([]);
  });

  it('reads the environment and the console only where they belong', () => {
    const text = (file: string): string => readFileSync(resolve(src, file), 'utf8');
    expect(files.filter((file) => /process\.env|\{ env \} = process/.test(text(file)) && !/^(config|commands|main)/.test(file))).toEqual(
      [],
    );
    expect(files.filter((file) => /\bconsole\.(?:log|info|warn|error|debug)/.test(text(file)))).toEqual([]);
    const services = files.filter((file) => file.startsWith('services/'));
    expect(services.filter((file) => /Date\.now\(\)|Math\.random\(\)|new Date\(\)/.test(text(file)))).toEqual([]);
  });
});
