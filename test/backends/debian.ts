/** Programs that come from the system: installed with apt-get when we may, else named. */
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { mustRun, runCommand } from './command.ts';
import { withLock } from './lock.ts';
import { say, timed } from './log.ts';
import { identify, processesOf, signalProcess } from './process-id.ts';

/** A Debian package and a program (by name or path) that shows it is there. */
export interface SystemProgram {
  readonly package: string;
  /** Names looked for on PATH and in the sbin folders, or whole paths; one of them suffices. */
  readonly anyOf: readonly string[];
}

const FOLDERS = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/local/sbin', '/usr/sbin', '/sbin'];

/** The first place where one of these programs lies. */
export function findProgram(...names: readonly string[]): string | undefined {
  return names
    .flatMap((name) => (name.startsWith('/') ? [name] : FOLDERS.map((folder) => join(folder, name))))
    .find((path) => existsSync(path));
}

/** Sees to it that all these programs are there. Daemons that an installation starts by itself are stopped again. */
export async function requirePrograms(programs: readonly SystemProgram[], daemons: readonly string[] = []): Promise<void> {
  const missing = programs.filter((program) => findProgram(...program.anyOf) === undefined).map((program) => program.package);
  if (missing.length === 0) return;
  const names = missing.join(' ');
  if (process.getuid?.() !== 0 || findProgram('apt-get') === undefined)
    throw new Error(`programs are missing; on Debian or Ubuntu: apt-get update && apt-get install ${names}`);
  await withLock('debian', async () => {
    const before = new Set(daemons.flatMap(processesOf));
    await timed(`installing ${names}`, async () => {
      const env = { DEBIAN_FRONTEND: 'noninteractive' };
      await mustRun('apt-get', ['update', '-q'], { env });
      await mustRun('apt-get', ['install', '-y', '-q', '--no-install-recommends', ...missing], { env });
    });
    for (const daemon of daemons) await stopNew(daemon, before);
  });
}

async function stopNew(daemon: string, before: ReadonlySet<number>): Promise<void> {
  const started = processesOf(daemon).filter((pid) => !before.has(pid));
  if (started.length === 0) return;
  say(`stopping ${daemon}, which the installation started`);
  const unit = daemon.slice(daemon.lastIndexOf('/') + 1);
  const stopped = await runCommand('systemctl', ['stop', unit]).catch(() => undefined);
  if (stopped?.code === 0) return;
  for (const pid of started) {
    const id = identify(pid);
    if (id !== undefined) signalProcess(id, 'SIGTERM');
  }
}
