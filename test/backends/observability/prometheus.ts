/** The backend `prometheus`: Debian's Prometheus, which scrapes what the files of a folder name; and promtool. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { Backend } from '../backend.ts';
import { findProgram, requirePrograms } from '../debian.ts';
import { freePorts, untilReady } from '../wait.ts';

const PROGRAMS = [{ package: 'prometheus', anyOf: ['prometheus'] }] as const;

const mustFind = (name: string): string => {
  const found = findProgram(name);
  if (found === undefined) throw new Error(`${name} is missing: npm run backends build prometheus`);
  return found;
};

export const prometheus: Backend = {
  name: 'prometheus',
  about: 'Prometheus with targets from files, and promtool',
  needsRoom: false,
  async build() {
    await requirePrograms(PROGRAMS, ['/usr/bin/prometheus', '/usr/bin/prometheus-node-exporter']);
  },
  async up(run) {
    const own = run.backendFolder('prometheus');
    const targets = join(own, 'targets');
    mkdirSync(targets, { recursive: true });
    const config = {
      global: { scrape_interval: '1s', scrape_timeout: '1s' },
      scrape_configs: [{ job_name: 'files', file_sd_configs: [{ files: [join(targets, '*.json')], refresh_interval: '1s' }] }],
    };
    const file = join(own, 'prometheus.yml');
    writeFileSync(file, stringify(config));
    const [port = 0] = await freePorts(1);
    const started = run.start('prometheus', 'prometheus', [
      mustFind('prometheus'),
      `--config.file=${file}`,
      `--storage.tsdb.path=${join(own, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ]);
    const url = `http://127.0.0.1:${port}`;
    await untilReady(started, async () => (await fetch(`${url}/-/ready`)).ok);
    return { url, targets, promtool: mustFind('promtool') };
  },
  async down() {
    // Its process and the run's folder are all there is.
  },
  async status(run) {
    const dead = run.deadProcesses('prometheus');
    return { running: dead.length === 0, dead };
  },
};
