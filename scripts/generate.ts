// Writes what is made from the definitions: the catalogue that a start reads, and the generated documentation. `--check` only compares.

import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';
import { toJsonSchema } from '../src/config/json-schema.ts';
import { listKeys } from '../src/config/keys.ts';
import { toCatalogue } from '../src/kit/catalogue.ts';
import { services } from '../src/services/index.ts';
import { configShape } from '../src/settings.ts';
import { toConfigurationPage, toErrorsPage, toMetricsPage, toToolsPage } from './pages.ts';
import { type BenchResults, toPerformancePage } from './performance-page.ts';

const catalogues = [];
for (const [name, slot] of Object.entries(services)) {
  const definition = await slot.load();
  if (definition.name !== name) throw new Error(`services/index.ts calls ${definition.name} ${name}`);
  catalogues.push(toCatalogue(definition));
}

/** What a start without any configuration uses, and the variables of others that would configure something. */
const toDefaults = () => ({
  config: z.strictObject(configShape).parse({}),
  variables: listKeys(configShape)
    .flatMap(({ env, aliases = [] }) => (env === undefined ? [] : [env, ...aliases, `${env}_FILE`]))
    .filter((name) => !name.startsWith('MCP_')),
});

const files: Record<string, string> = {
  'src/generated/catalogue.json': `${JSON.stringify(catalogues)}\n`,
  'src/generated/defaults.json': `${JSON.stringify(toDefaults())}\n`,
  'docs/errors.md': toErrorsPage(),
  'docs/configuration.md': toConfigurationPage(),
  'docs/configuration.schema.json': `${JSON.stringify(toJsonSchema(configShape), null, 2)}\n`,
  'docs/metrics.md': toMetricsPage(),
  'docs/performance.md': toPerformancePage(JSON.parse(await readFile('bench/results/latest.json', 'utf8')) as BenchResults),
  ...Object.fromEntries(catalogues.map((catalogue) => [`docs/tools/${catalogue.name}.md`, toToolsPage(catalogue)])),
};

const isCheck = process.argv.includes('--check');
const stale: string[] = [];
for (const [file, text] of Object.entries(files)) {
  const before = await readFile(file, 'utf8').catch(() => '');
  if (before === text) continue;
  stale.push(file);
  if (isCheck) continue;
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, text);
}
if (stale.length > 0) process.stdout.write(`${isCheck ? 'stale' : 'written'}: ${stale.join(', ')}\n`);
if (isCheck && stale.length > 0) process.exitCode = 1;
