/** The backend `postgres`: a PostgreSQL server on a free port of the loopback, with a database of its own in the run's folder. */
import { chownSync, existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import type { Backend } from './backend.ts';
import { mustRun } from './command.ts';
import { requirePrograms } from './debian.ts';
import { freePorts, untilReady } from './wait.ts';

const NAME = 'postgres';
/** Debian keeps one folder per major version and puts none of them on PATH. */
const FOLDER = '/usr/lib/postgresql';

function findServer(): string | undefined {
  const versions = existsSync(FOLDER) ? readdirSync(FOLDER).sort((a, b) => Number(b) - Number(a)) : [];
  return versions.map((version) => join(FOLDER, version, 'bin')).find((bin) => existsSync(join(bin, 'postgres')));
}

/** PostgreSQL refuses to run as root: then as the user of its package. */
async function asOwner(command: readonly string[]): Promise<readonly string[]> {
  if (process.getuid?.() !== 0) return command;
  return ['setpriv', '--reuid=postgres', '--regid=postgres', '--clear-groups', '--', ...command];
}

export const postgres: Backend = {
  name: NAME,
  about: 'a PostgreSQL server',
  needsRoom: false,
  async build() {
    if (findServer() === undefined) await requirePrograms([{ package: 'postgresql', anyOf: ['postgres'] }], ['postgres']);
  },
  async up(run) {
    const bin = findServer();
    if (bin === undefined) throw new Error(`no PostgreSQL below ${FOLDER}`);
    const folder = run.backendFolder(NAME);
    if (process.getuid?.() === 0) {
      const owner = async (flag: string): Promise<number> => Number(await mustRun('id', [flag, 'postgres']));
      chownSync(folder, await owner('-u'), await owner('-g'));
    }
    const data = join(folder, 'data');
    const [file = '', ...args] = await asOwner([join(bin, 'initdb'), '-D', data, '-U', 'audit', '--auth=trust', '--no-sync', '-E', 'UTF8']);
    await mustRun(file, args);
    const [port = 0] = await freePorts(1);
    const settings = ['-p', String(port), '-c', 'listen_addresses=127.0.0.1', '-c', `unix_socket_directories=${folder}`];
    const started = run.start(NAME, NAME, await asOwner([join(bin, 'postgres'), '-D', data, ...settings]));
    const connectionString = `postgres://audit@127.0.0.1:${port}/postgres`;
    await untilReady(started, async () => {
      const client = new pg.Client({ connectionString });
      await client.connect();
      await client.end();
      return true;
    });
    return { connectionString, host: '127.0.0.1', port, user: 'audit', database: 'postgres' };
  },
  async down() {},
  async status(run) {
    const dead = run.deadProcesses(NAME);
    return { running: dead.length === 0, dead };
  },
};
