// Completes package-lock.json for every platform. npm leaves out the entry of an optional platform package that its registry
// did not have at the time, and `npm ci` then refuses the whole lock file, on every platform.

import { readFileSync, writeFileSync } from 'node:fs';

interface Entry {
  version?: string;
  dev?: boolean;
  optional?: boolean;
  os?: string[];
  cpu?: string[];
  libc?: string[];
  optionalDependencies?: Record<string, string>;
}

const systems = ['android', 'darwin', 'freebsd', 'linux', 'openharmony', 'win32'];
const processors = ['arm64', 'arm', 'ia32', 'ppc64', 'riscv64', 's390x', 'wasm32', 'x64'];

const file = new URL('../package-lock.json', import.meta.url);
const lock = JSON.parse(readFileSync(file, 'utf8')) as { packages: Record<string, Entry> };

/** What a platform package's own manifest states about where it runs, as its name says it. */
function platform(name: string): Pick<Entry, 'os' | 'cpu' | 'libc'> {
  const words = (name.split('/').at(-1) ?? name).split('-');
  const os = systems.find((system) => words.includes(system));
  const cpu = processors.find((processor) => words.includes(processor));
  const libc = words.includes('musl') ? 'musl' : words.includes('gnu') ? 'glibc' : undefined;
  return { ...(os && { os: [os] }), ...(cpu && { cpu: [cpu] }), ...(libc && os === 'linux' && { libc: [libc] }) };
}

let added = 0;
for (const [path, parent] of Object.entries(lock.packages)) {
  const folder = path.slice(0, path.lastIndexOf('node_modules/'));
  for (const [name, version] of Object.entries(parent.optionalDependencies ?? {})) {
    const where = platform(name);
    const found = [`${path}/`, folder].some((from) => lock.packages[`${from}node_modules/${name}`]);
    if (found || (!where.os && !where.cpu)) continue;
    lock.packages[`${folder}node_modules/${name}`] = { version, ...(parent.dev && { dev: true }), optional: true, ...where };
    added += 1;
  }
}
lock.packages = Object.fromEntries(Object.entries(lock.packages).sort(([a], [b]) => a.localeCompare(b, 'en')));
writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);
process.stdout.write(`${added === 0 ? 'package-lock.json is complete' : `package-lock.json: ${added} platform packages added`}\n`);
