// serve: opens the door that the mode names, and stops in good order.

import { type App, createApp, type Settings } from '../app.ts';
import { NAME, VERSION } from '../version.ts';
import { boundHeap } from './heap.ts';
import { isHttp } from './mode.ts';
import { HELP_OPTION, parseFlags, SETTING_OPTIONS, toSettings } from './options.ts';
import { untilSignal } from './signals.ts';

const serveHttp = async (app: App, settings: Settings): Promise<void> => {
  const stop = untilSignal();
  const door = await app.openHttp();
  app.logger.info({ url: door.url, version: VERSION, services: app.serviceNames.join(',') }, `${NAME} listens`);
  const { followConfiguration } = await import('../reload.ts');
  const stopFollowing = followConfiguration({ app, settings, onHangUp: true });
  await stop;
  stopFollowing();
  app.logger.info({}, 'stopping: running calls may finish');
  await door.drain();
};

const serveStdio = async (app: App, settings: Settings): Promise<void> => {
  const stop = untilSignal();
  const door = await app.openStdio();
  // Without a file there is nothing to follow. A closed terminal still ends the process: no SIGHUP here.
  const stopFollowing =
    settings.options.file === undefined
      ? undefined
      : (await import('../reload.ts')).followConfiguration({ app, settings, onHangUp: false });
  await Promise.race([stop, door.ended]);
  stopFollowing?.();
};

/** Flags of the bare command that end instead of serving. */
const INSTEAD_OPTIONS = {
  list: { type: 'string' },
  output: { type: 'string' },
  service: { type: 'string' },
  verbose: { type: 'boolean' },
  'validate-config': { type: 'boolean' },
  json: { type: 'boolean' },
} as const;

/** @returns the exit code */
export const run = async (argv: readonly string[]): Promise<number> => {
  const flags = parseFlags(argv, { ...SETTING_OPTIONS, ...HELP_OPTION, ...INSTEAD_OPTIONS });
  if (flags.values['help'] === true) {
    const { SERVE_HELP } = await import('./help.ts');
    process.stdout.write(SERVE_HELP);
    return 0;
  }
  if (flags.values['list'] !== undefined) return (await import('./list.ts')).list(flags);
  if (flags.values['validate-config'] === true) return (await import('./config-validate.ts')).validate(flags);
  const settings = await toSettings(flags);
  // When the configuration file alone says so, that is known only now.
  if (isHttp(settings)) boundHeap();
  const app = await createApp(settings);
  // One stray failure must not end a server that others are using.
  process.on('unhandledRejection', (reason) => app.logger.error({ fault: reason }, 'internal fault'));
  process.on('uncaughtException', (fault) => {
    app.logger.error({ fault }, 'internal fault: the server ends');
    process.exit(70);
  });
  for (const warning of settings.warnings) app.logger.warn({}, warning);
  try {
    await (isHttp(settings) ? serveHttp(app, settings) : serveStdio(app, settings));
  } finally {
    await app.close();
  }
  return 0;
};
