// The configuration file while the server runs: read again when it changes or on SIGHUP. What can change does; the rest is named.

import { type App, loadSettings, type Settings } from './app.ts';
import { type ConfigKey, deleteAt, getAt, listKeys, maskValue, setAt } from './config/keys.ts';
import { toAppError } from './kit/errors.ts';
import { watchFile } from './kit/watch-file.ts';

export interface FollowOptions {
  readonly app: App;
  readonly settings: Settings;
  /** Read again on SIGHUP too. */
  readonly onHangUp: boolean;
}

interface Difference {
  readonly key: ConfigKey;
  readonly before: unknown;
  readonly after: unknown;
}

const compare = (keys: readonly ConfigKey[], before: unknown, after: unknown): Difference[] =>
  keys
    .map((key): Difference => ({ key, before: getAt(before, key.key), after: getAt(after, key.key) }))
    .filter((one) => JSON.stringify(one.before) !== JSON.stringify(one.after));

const toText = (value: unknown, { schema }: ConfigKey): string => {
  const shown = maskValue(value, schema);
  return (shown === undefined ? 'unset' : typeof shown === 'string' ? shown : JSON.stringify(shown)).slice(0, 500);
};

/** Follows the configuration until the returned function is called. A file that cannot be used changes nothing, and the log says why. */
export const followConfiguration = ({ app, settings, onHangUp }: FollowOptions): (() => void) => {
  const { logger, config } = app;
  const { file } = settings.options;
  const tell = (thrown: unknown): void =>
    logger.error({ file, reason: toAppError(thrown).message }, 'the configuration is not valid; the one before stays in force');

  const reload = async (): Promise<void> => {
    const next = await loadSettings(settings.options);
    const differences = compare(listKeys(await settings.shape()), config, next.config);
    const commit = app.prepare(next.config);
    const told = differences.map(({ key, before, after }) => ({
      key,
      text: { key: key.key, before: toText(before, key), after: toText(after, key) },
    }));
    // The rooms hold these sections and read their live keys at each use; this is one turn, so no call sees a half of it.
    for (const { key, after } of differences) {
      // The policy is exchanged as a whole.
      if (!key.live || key.key.startsWith('security.policy.')) continue;
      if (after === undefined) deleteAt(config, key.key);
      else setAt(config, key.key, after);
    }
    commit();
    for (const { key, text } of told) {
      if (key.live) logger.info(text, 'configuration changed');
      else logger.warn(text, 'configuration changed: needs a restart');
    }
    if (differences.length === 0) logger.info({ file }, 'the configuration has not changed');
  };

  let last = Promise.resolve();
  const enqueue = (): void => {
    last = last.then(reload).catch(tell);
  };
  const stopWatching = file === undefined ? undefined : watchFile(file, settings.text, enqueue);
  if (onHangUp) process.on('SIGHUP', enqueue);
  return () => {
    stopWatching?.();
    process.off('SIGHUP', enqueue);
  };
};
