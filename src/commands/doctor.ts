// doctor: what is configured, reachable and allowed, in tables that a person understands.

import { createApp } from '../app.ts';
import { AppError, toAppError } from '../kit/errors.ts';
import { NAME, VERSION } from '../version.ts';
import { HELP_OPTION, parseFlags, SETTING_OPTIONS, toSettings } from './options.ts';
import { formatTable } from './table.ts';

const HELP = `Usage: doctor [--json] [settings]

Checks the configuration, asks every configured service whether it works, and says what the server would offer.
Exit code 1 when a configured service is down, 2 when the configuration cannot be used.
`;

interface Check {
  readonly what: string;
  readonly result: 'ok' | 'warn' | 'fail';
  readonly detail: string;
}

const STATE: Readonly<Record<string, Check['result']>> = { up: 'ok', degraded: 'warn', down: 'fail', not_configured: 'warn' };

const toText = (checks: readonly Check[]): string =>
  formatTable(
    ['CHECK', 'RESULT', 'DETAIL'],
    checks.map(({ what, result, detail }) => [what, result, detail]),
  );

/** @returns the exit code */
export const run = async (argv: readonly string[]): Promise<number> => {
  const flags = parseFlags(argv, { ...SETTING_OPTIONS, ...HELP_OPTION, json: { type: 'boolean' } });
  if (flags.values['help'] === true) {
    process.stdout.write(HELP);
    return 0;
  }
  const settings = await toSettings(flags);
  const app = await createApp(settings, { log: () => {} });
  try {
    const signal = AbortSignal.timeout(15_000);
    const statuses = await app.manager.status(signal);
    const clusters = (
      await Promise.all(
        app.serviceNames
          .map(async (name) => (await app.manager.service(name)).parts.clusters?.(signal) ?? [])
          .map((list) => list.catch(() => [])),
      )
    ).flat();
    const { selection, tables } = app.surface(app.config.profiles);
    const checks: Check[] = [
      { what: 'node', result: 'ok', detail: `${process.version}, ${NAME} ${VERSION}` },
      {
        what: 'configuration',
        result: 'ok',
        detail: settings.given.size === 0 ? 'defaults only' : `set: ${[...settings.given].join(', ')}`,
      },
      ...settings.warnings.map((detail): Check => ({ what: 'configuration', result: 'warn', detail })),
      ...statuses.map(
        (status): Check => ({
          what: status.service,
          result: STATE[status.state] ?? 'warn',
          detail: [status.state, status.version, status.reason, status.latencyMs === undefined ? undefined : `${status.latencyMs} ms`]
            .filter((part) => part !== undefined)
            .join(', '),
        }),
      ),
      ...clusters.map(
        (cluster): Check => ({
          what: `cluster ${cluster.name}${cluster.default === true ? ' (default)' : ''}`,
          result: cluster.reachable === true ? 'ok' : 'fail',
          detail: [cluster.server, cluster.version, cluster.reason].filter((part) => part !== undefined).join(', '),
        }),
      ),
      {
        what: 'offered',
        result: 'ok',
        detail: `${selection.tools.length} tools of profile ${selection.profile}, mode ${selection.mode}${selection.hidden.size > 0 ? `, ${selection.hidden.size} hidden by mode` : ''}, ${tables.form} definitions`,
      },
    ];
    process.stdout.write(flags.values['json'] === true ? `${JSON.stringify({ checks })}\n` : `${toText(checks)}\n`);
    return statuses.some(({ state }) => state === 'down') ? 1 : 0;
  } catch (thrown) {
    if (thrown instanceof AppError) throw thrown;
    throw toAppError(thrown);
  } finally {
    await app.close();
  }
};
