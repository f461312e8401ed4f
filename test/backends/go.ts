/** Building Go programs from the Go module proxy. */
import { existsSync, mkdirSync, renameSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { z } from 'zod';
import { mustRun, runCommand } from './command.ts';
import { timed } from './log.ts';

const moduleInfo = z.object({ Version: z.string(), Time: z.string().optional(), GoMod: z.string() });

/** What the Go tool knows about one version of a module. */
export interface ModuleInfo {
  readonly version: string;
  /** When the version was published, RFC 3339. */
  readonly time: string;
  /** The file with its go.mod. */
  readonly goMod: string;
}

/** Settings for all builds: static programs, no look at a version control system around the cache folder. */
const BUILD_ENVIRONMENT = { CGO_ENABLED: '0', GOFLAGS: '-mod=mod -buildvcs=false' };

/** Fails with what to do if there is no Go. */
export async function requireGo(): Promise<void> {
  const found = await runCommand('go', ['version']).catch(() => undefined);
  if (found?.code !== 0) throw new Error('Go is missing: install Go 1.26 or newer (https://go.dev/dl/) and put its bin folder on PATH');
}

/** The versions of a module that the proxy knows, oldest first. */
export async function moduleVersions(path: string): Promise<string[]> {
  const listed = await mustRun('go', ['list', '-m', '-versions', path], { cwd: tmpdir(), env: BUILD_ENVIRONMENT });
  return listed.split(' ').slice(1);
}

/** Facts about one version of a module; its go.mod is fetched, its source is not. */
export async function describeModule(path: string, version: string): Promise<ModuleInfo> {
  const json = await mustRun('go', ['list', '-m', '-json', `${path}@${version}`], { cwd: tmpdir(), env: BUILD_ENVIRONMENT });
  const info = moduleInfo.parse(JSON.parse(json));
  return { version: info.Version, time: info.Time ?? '1970-01-01T00:00:00Z', goMod: info.GoMod };
}

/** The source of one version of a module, fetched if need be. */
export async function moduleSource(path: string, version: string): Promise<string> {
  const json = await mustRun('go', ['mod', 'download', '-json', `${path}@${version}`], { cwd: tmpdir(), env: BUILD_ENVIRONMENT });
  const { Dir } = z.object({ Dir: z.string() }).parse(JSON.parse(json));
  return Dir;
}

export interface GoBuild {
  /** Folder of the main module: a wrapper with a go.mod. */
  readonly module: string;
  /** Import path of each program -> the file it becomes. */
  readonly programs: Readonly<Record<string, string>>;
  readonly ldflags?: string;
  readonly tags?: string;
  readonly logFile: string;
}

/** Builds the programs that are not there yet; a program appears under its name only when it is complete. */
export async function goBuild(build: GoBuild): Promise<void> {
  for (const [path, file] of Object.entries(build.programs)) {
    if (existsSync(file)) continue;
    mkdirSync(dirname(file), { recursive: true });
    const tags = build.tags === undefined ? [] : ['-tags', build.tags];
    const args = [
      '-n',
      '5',
      'go',
      'build',
      '-trimpath',
      ...tags,
      '-ldflags',
      `-s -w ${build.ldflags ?? ''}`.trim(),
      '-o',
      `${file}.new`,
      path,
    ];
    await timed(`building ${basename(file)} (log: ${build.logFile})`, () =>
      mustRun('nice', args, { cwd: build.module, env: BUILD_ENVIRONMENT, logFile: build.logFile }),
    );
    renameSync(`${file}.new`, file);
  }
}

/** Builds one program of a published module that has no replace directives (`go install path@version`). */
export async function goInstall(path: string, version: string, file: string, logFile: string): Promise<void> {
  if (existsSync(file)) return;
  const folder = join(dirname(file), '.install');
  mkdirSync(folder, { recursive: true });
  await timed(`building ${basename(file)} ${version} (log: ${logFile})`, () =>
    mustRun('nice', ['-n', '5', 'go', 'install', '-ldflags', '-s -w', `${path}@${version}`], {
      cwd: tmpdir(),
      env: { CGO_ENABLED: '0', GOFLAGS: '', GOBIN: folder },
      logFile,
    }),
  );
  renameSync(join(folder, basename(path)), file);
}
