/** The backend `redis`: a Redis server on a free port of the loopback, with a password, keeping nothing on disk. */
import { Redis } from 'ioredis';
import type { Backend } from './backend.ts';
import { findProgram, requirePrograms } from './debian.ts';
import { freePorts, untilReady } from './wait.ts';

const NAME = 'redis';
const PASSWORD = 'test-bed-password-of-redis';

export const redis: Backend = {
  name: NAME,
  about: 'a Redis server',
  needsRoom: false,
  build: () => requirePrograms([{ package: 'redis-server', anyOf: ['redis-server'] }], ['redis-server']),
  async up(run) {
    const program = findProgram('redis-server');
    if (program === undefined) throw new Error('no redis-server');
    const [port = 0] = await freePorts(1);
    const url = `redis://:${PASSWORD}@127.0.0.1:${port}/0`;
    const settings = ['--bind', '127.0.0.1', '--port', String(port), '--requirepass', PASSWORD, '--save', '', '--appendonly', 'no'];
    const started = run.start(NAME, NAME, [program, ...settings, '--dir', run.backendFolder(NAME)]);
    await untilReady(started, async () => {
      const client = new Redis(url, { lazyConnect: true, retryStrategy: () => null, maxRetriesPerRequest: 0 });
      client.on('error', () => {});
      try {
        await client.connect();
        return (await client.ping()) === 'PONG';
      } finally {
        client.disconnect();
      }
    });
    return { url, host: '127.0.0.1', port };
  },
  async down() {},
  async status(run) {
    const dead = run.deadProcesses(NAME);
    return { running: dead.length === 0, dead };
  },
};
