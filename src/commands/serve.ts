// serve: opens the door that the mode names, and stops in good order.

import { type App, createApp, type Settings } from '../app.ts';
import { NAME, VERSION } from '../version.ts';
import { HELP_OPTION, parseFlags, SETTING_OPTIONS, toSettings } from './options.ts';
import { untilSignal } from './signals.ts';

const toMode = ({ config, given }: Settings): 'stdio' | 'http' => {
  if (config.server.mode !== undefined) return config.server.mode === 'stdio' ? 'stdio' : 'http';
  return given.has('server.addr') ? 'http' : 'stdio';
};

const serveHttp = async (app: App): Promise<void> => {
  const stop = untilSignal();
  const door = await app.openHttp();
  app.logger.info({ url: door.url, version: VERSION, services: app.serviceNames.join(',') }, `${NAME} listens`);
  await stop;
  app.logger.info({}, 'stopping: running calls may finish');
  await door.drain();
};

const serveStdio = async (app: App): Promise<void> => {
  const stop = untilSignal();
  const door = await app.openStdio();
  await Promise.race([stop, door.ended]);
};

/** @returns the exit code */
export const run = async (argv: readonly string[]): Promise<number> => {
  const flags = parseFlags(argv, { ...SETTING_OPTIONS, ...HELP_OPTION });
  if (flags.values['help'] === true) {
    const { SERVE_HELP } = await import('./help.ts');
    process.stdout.write(SERVE_HELP);
    return 0;
  }
  const settings = await toSettings(flags);
  const app = await createApp(settings);
  // One stray failure must not end a server that others are using.
  process.on('unhandledRejection', (reason) => app.logger.error({ fault: reason }, 'internal fault'));
  process.on('uncaughtException', (fault) => {
    app.logger.error({ fault }, 'internal fault: the server ends');
    process.exit(70);
  });
  for (const warning of settings.warnings) app.logger.warn({}, warning);
  try {
    await (toMode(settings) === 'http' ? serveHttp(app) : serveStdio(app));
  } finally {
    await app.close();
  }
  return 0;
};
