// config validate: is the configuration right, and do the backends that it names answer? Nothing is written, nothing listens.

import { access, constants, stat } from 'node:fs/promises';
import { connect } from 'node:net';
import { dirname } from 'node:path';
import { type App, createApp, type Settings } from '../app.ts';
import { getAt, listKeys, type Shape } from '../config/keys.ts';
import { checkExposure, toTls } from '../exposure.ts';
import type { Logger } from '../kit/context.ts';
import { AppError, toAppError } from '../kit/errors.ts';
import { createSecrets, type Secrets } from '../secrets/create.ts';
import { isReference } from '../secrets/reference.ts';
import { readKubernetesSecret } from '../start.ts';
import { NAME } from '../version.ts';
import { isHttp } from './mode.ts';
import { type ParsedFlags, parseFlags, SETTING_OPTIONS, toSettings } from './options.ts';
import { formatTable } from './table.ts';

interface Check {
  readonly what: string;
  readonly result: 'ok' | 'warn' | 'fail';
  readonly detail: string;
}

const WAIT_MS = 10_000;
const SILENT: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

const attempt = async (what: string, work: () => Promise<string> | string): Promise<Check> => {
  try {
    return { what, result: 'ok', detail: await work() };
  } catch (thrown) {
    return { what, result: 'fail', detail: toAppError(thrown).message };
  }
};

/** Does something listen there? Says nothing about what. */
const reach = (address: string, usualPort: number): Promise<string> => {
  const url = new URL(/^[a-z]+:\/\//i.test(address) ? address : `tcp://${address}`);
  const [host, port] = [url.hostname.replace(/^\[|\]$/g, ''), Number(url.port) || usualPort];
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, timeout: WAIT_MS });
    const fail = (why: string): void => {
      socket.destroy();
      reject(new AppError('SERVICE_UNAVAILABLE', `${host}:${port} does not answer: ${why}.`));
    };
    socket.once('timeout', () => fail('time-out'));
    socket.once('error', (error: NodeJS.ErrnoException) => fail(error.code ?? error.name));
    socket.once('connect', () => {
      socket.destroy();
      resolve(`${host}:${port} answers`);
    });
  });
};

/** The folder may be made at the start: the nearest one that is there must be ours to write. */
const checkWritable = async (file: string): Promise<string> => {
  for (let folder = dirname(file); ; folder = dirname(folder)) {
    const code = await Promise.all([stat(folder), access(folder, constants.W_OK)]).then(
      ([found]) => (found.isDirectory() ? undefined : 'ENOTDIR'),
      (error: NodeJS.ErrnoException) => error.code ?? error.name,
    );
    if (code === undefined) return `${folder} can be written`;
    if (code !== 'ENOENT' || folder === dirname(folder)) throw new AppError('FAILED_PRECONDITION', `${folder} cannot be written: ${code}.`);
  }
};

const toStorageChecks = ({ config: { audit } }: Settings): Promise<Check>[] => {
  if (!audit.enabled || audit.storage === 'memory') return [];
  const { storage, file, database } = audit;
  return [
    ...(storage === 'database' ? [] : [attempt('audit file', () => checkWritable(file.path))]),
    ...(storage === 'file'
      ? []
      : [
          attempt('audit database', () => {
            if (database.type === 'sqlite') return checkWritable(database.sqlitePath);
            if (database.connectionString !== undefined) return reach(database.connectionString, 5432);
            throw new AppError('INVALID_ARGUMENT', 'Configuration audit.database.connectionString: PostgreSQL needs one.');
          }),
        ]),
    ...(audit.alerts.enabled && audit.alerts.webhookURL !== undefined
      ? [
          attempt('audit alerts', () =>
            reach(audit.alerts.webhookURL ?? '', audit.alerts.webhookURL?.startsWith('https:') === true ? 443 : 80),
          ),
        ]
      : []),
  ];
};

/** Values that stand elsewhere are read once. */
const toSecretChecks = ({ config }: Settings, shape: Shape, secrets: Secrets): Promise<Check>[] =>
  listKeys(shape).flatMap(({ key, secret }) => {
    const value = getAt(config, key);
    if (!secret || typeof value !== 'string' || !isReference(value)) return [];
    return [
      attempt(`secret ${key}`, async () => {
        await secrets.define(`validate:${key}`, value).current();
        return 'can be read';
      }),
    ];
  });

const checkAuthentication = async ({ config: { auth, server } }: Settings, app: App, secrets: Secrets): Promise<string> => {
  const { createAuthentication } = await import('../middleware/auth/create.ts');
  const { issuer } = await createAuthentication({
    config: auth,
    secrets,
    now: Date.now,
    logger: SILENT,
    realm: NAME,
    services: app.serviceNames,
    publicUrl: server.publicUrl,
    baseUrl: () => server.publicUrl ?? '',
    hasClientCa: server.tls.clientCAFile !== undefined && server.tls.certFile !== undefined,
  });
  if (issuer === undefined) return `mode ${auth.mode}`;
  return `mode ${auth.mode}, keys of ${(await issuer.get()).issuer}`;
};

const toDoorChecks = (settings: Settings, app: App, secrets: Secrets): Promise<Check>[] => {
  const { config } = settings;
  if (!isHttp(settings)) return [];
  return [
    attempt('listener', async () => {
      checkExposure(config);
      const tls = toTls(config, SILENT);
      for (const file of [tls?.certFile, tls?.keyFile, tls?.clientCAFile])
        if (file !== undefined)
          await access(file, constants.R_OK).catch(() => Promise.reject(new AppError('INVALID_ARGUMENT', `${file} cannot be read.`)));
      return `${config.server.addr}${tls === undefined ? '' : ' with TLS'}`;
    }),
    ...(config.auth.enabled ? [attempt('authentication', () => checkAuthentication(settings, app, secrets))] : []),
    ...(config.store.type === 'redis'
      ? [
          attempt('store', async () => {
            const { openStore } = await import('../store/open.ts');
            const store = await openStore(config.store, secrets, SILENT);
            try {
              await store.get('validate');
            } finally {
              await store.close();
            }
            return 'answers';
          }),
        ]
      : []),
  ];
};

const STATE: Readonly<Record<string, Check['result']>> = { up: 'ok', degraded: 'warn', down: 'fail', not_configured: 'warn' };

const checkServices = async (app: App): Promise<Check[]> =>
  (await app.manager.status(AbortSignal.timeout(WAIT_MS))).map(({ service, state, version, reason }) => ({
    what: `service ${service}`,
    result: STATE[state] ?? 'warn',
    detail: [state, version, reason].filter((part) => part !== undefined).join(', '),
  }));

const checkAll = async (settings: Settings): Promise<Check[]> => {
  const { config } = settings;
  // Beside a running server: records are its own. The store is asked below, where its failure is told.
  const quiet = { ...config, audit: { ...config.audit, enabled: false }, store: { type: 'memory' as const, url: undefined } };
  const app = await createApp({ ...settings, config: quiet }, { log: () => {} });
  const secrets = createSecrets(config.secrets, {
    now: Date.now,
    logger: SILENT,
    learn: () => {},
    kubernetes: (reference, signal) => readKubernetesSecret(settings, reference, { now: Date.now, logger: SILENT, signal }),
  });
  try {
    const checks = await Promise.all([
      ...toDoorChecks(settings, app, secrets),
      ...toSecretChecks(settings, await settings.shape(), secrets),
      ...toStorageChecks(settings),
      ...(config.otel.enabled ? [attempt('telemetry', () => reach(config.otel.endpoint, 4317))] : []),
    ]);
    return [...checks, ...(await checkServices(app))];
  } finally {
    await secrets.close();
    await app.close();
  }
};

/** @returns the exit code: 0 all well, 1 something does not answer; what is wrong in itself is thrown (2) */
export const validate = async (flags: ParsedFlags): Promise<number> => {
  const settings = await toSettings(flags);
  const found = await checkAll(settings);
  const checks: Check[] = [
    { what: 'configuration', result: 'ok', detail: settings.given.size === 0 ? 'defaults only' : `${settings.given.size} keys are set` },
    ...settings.warnings.map((detail): Check => ({ what: 'configuration', result: 'warn', detail })),
    ...found,
  ];
  const rows = checks.map(({ what, result, detail }) => [what, result, detail]);
  process.stdout.write(
    flags.values['json'] === true ? `${JSON.stringify({ checks })}\n` : `${formatTable(['CHECK', 'RESULT', 'DETAIL'], rows)}\n`,
  );
  return checks.some(({ result }) => result === 'fail') ? 1 : 0;
};

/** @returns the exit code */
export const run = (argv: readonly string[]): Promise<number> =>
  validate(parseFlags(argv, { ...SETTING_OPTIONS, json: { type: 'boolean' } }));
