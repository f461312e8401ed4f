/** The backend `collector`: an OpenTelemetry Collector that writes every span and metric it receives to files, one JSON document a line. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { Backend } from '../backend.ts';
import { mustRun } from '../command.ts';
import { cacheFolder } from '../folders.ts';
import { goBuild, goInstall, requireGo } from '../go.ts';
import { withLock } from '../lock.ts';
import { freePorts, untilReady } from '../wait.ts';

const VERSION = '0.159.0';

const folder = (): string => cacheFolder(`collector-${VERSION}`);
const program = (): string => join(folder(), 'collector');

/** Only what the tests use: the more components, the longer the build. */
const manifest = (output: string) => ({
  dist: { name: 'collector', description: 'collector of the test bed', version: VERSION, output_path: output },
  receivers: [{ gomod: `go.opentelemetry.io/collector/receiver/otlpreceiver v${VERSION}` }],
  exporters: [{ gomod: `github.com/open-telemetry/opentelemetry-collector-contrib/exporter/fileexporter v${VERSION}` }],
  // It refuses to start without the provider of its default scheme.
  providers: ['file', 'env'].map((name) => ({ gomod: `go.opentelemetry.io/collector/confmap/provider/${name}provider v1.65.0` })),
});

async function buildAll(): Promise<void> {
  if (existsSync(program())) return;
  const logFile = join(folder(), 'build.log');
  const builder = join(folder(), 'builder');
  await goInstall('go.opentelemetry.io/collector/cmd/builder', `v${VERSION}`, builder, logFile);
  const module = join(folder(), 'module');
  const config = join(folder(), 'manifest.yaml');
  writeFileSync(config, stringify(manifest(module)));
  await mustRun(builder, ['--config', config, '--skip-compilation'], { logFile, env: { CGO_ENABLED: '0', GOFLAGS: '-mod=mod' } });
  await goBuild({ module, programs: { '.': program() }, logFile });
}

export const collector: Backend = {
  name: 'collector',
  about: 'an OpenTelemetry Collector that writes what it receives to files',
  needsRoom: false,
  async build() {
    if (existsSync(program())) return;
    await requireGo();
    await withLock(`collector-${VERSION}`, buildAll);
  },
  async up(run) {
    const own = run.backendFolder('collector');
    const [grpc = 0, http = 0] = await freePorts(2);
    const files = { traces: join(own, 'traces.jsonl'), metrics: join(own, 'metrics.jsonl') };
    const exporter = (path: string) => ({ path, flush_interval: '100ms' });
    const config = {
      receivers: { otlp: { protocols: { grpc: { endpoint: `127.0.0.1:${grpc}` }, http: { endpoint: `127.0.0.1:${http}` } } } },
      exporters: { 'file/traces': exporter(files.traces), 'file/metrics': exporter(files.metrics) },
      service: {
        telemetry: { metrics: { level: 'none' } },
        pipelines: {
          traces: { receivers: ['otlp'], exporters: ['file/traces'] },
          metrics: { receivers: ['otlp'], exporters: ['file/metrics'] },
        },
      },
    };
    mkdirSync(own, { recursive: true });
    const file = join(own, 'collector.yaml');
    writeFileSync(file, stringify(config));
    const started = run.start('collector', 'collector', [program(), '--config', `file:${file}`]);
    // An empty request of the right form is taken; anything else means that it is not up yet.
    const ready = async (): Promise<boolean> => {
      const answer = await fetch(`http://127.0.0.1:${http}/v1/traces`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: '{}',
      });
      return answer.ok;
    };
    await untilReady(started, ready);
    return { version: VERSION, grpc: `127.0.0.1:${grpc}`, http: `http://127.0.0.1:${http}`, ...files };
  },
  async down() {
    // Its process and the run's folder are all there is.
  },
  async status(run) {
    const dead = run.deadProcesses('collector');
    return { running: dead.length === 0, dead };
  },
};
