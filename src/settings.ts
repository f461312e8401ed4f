// The settings of a start: server keys, the sections of all services, built in and plugged in. Loaded only where something is configured.

import type { z } from 'zod';
import { auditConfig } from './audit/config.ts';
import { cacheConfig } from './cache/config.ts';
import { type ConfigKey, listKeys, type Shape } from './config/keys.ts';
import { loadConfig } from './config/load.ts';
import { securityKeys, serverConfig } from './config/server.ts';
import { section } from './kit/config.ts';
import { loggingConfig } from './logging/config.ts';
import { authConfig } from './middleware/auth/config.ts';
import { performanceConfig } from './middleware/compress/config.ts';
import { rateLimitConfig } from './middleware/rate-limit/config.ts';
import { observabilityConfig } from './observability/config.ts';
import { builtIn, loadPlugin } from './plugins.ts';
import { policyKeys } from './policy/config.ts';
import { redactionKeys, secretsConfig } from './secrets/config.ts';
import { storeConfig } from './store/config.ts';

const serviceShape = Object.fromEntries(Object.entries(builtIn).map(([name, slot]) => [name, slot.config.prefault({})]));
/** Every room owns its sections. */
const ownShape = {
  ...serverConfig,
  ...loggingConfig,
  ...observabilityConfig,
  auth: authConfig,
  audit: auditConfig,
  ratelimit: rateLimitConfig,
  performance: performanceConfig,
  cache: cacheConfig,
  store: storeConfig,
  secrets: secretsConfig,
  security: section({ ...securityKeys, ...policyKeys, ...redactionKeys }),
};
export const configShape = { ...ownShape, ...serviceShape };

export type ServerConfig = z.infer<z.ZodObject<typeof ownShape>>;
export type Config = ServerConfig & Readonly<Record<string, unknown>>;

export interface Settings {
  readonly config: Config;
  readonly warnings: readonly string[];
  /** Keys that were set, not defaulted. */
  readonly given: ReadonlySet<string>;
  /** Dotted key -> `file`, the variable, or the flag that set it. */
  readonly from: ReadonlyMap<string, string>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** All sections, those of plugins too; loaded when they are asked for. */
  readonly shape: () => Promise<Shape>;
  readonly options: SettingsOptions;
  /** The file as it was read. */
  readonly text: string;
}

/** Every configuration key, for documentation and `doctor`. */
export const configKeys = (): ConfigKey[] => listKeys(configShape);

/** How a start was asked for; kept, so that the same can be read again. */
export interface SettingsOptions {
  readonly file?: string;
  readonly env: Settings['env'];
  /** By dotted key. */
  readonly flags?: Readonly<Record<string, unknown>>;
  /** Dotted key -> the flag as it was typed. */
  readonly flagNames?: Readonly<Record<string, string>>;
}

/** A plugin's section is checked by the plugin itself when it starts; here it only must not count as unknown. */
const toPluginShape = async (names: readonly string[]): Promise<Shape> => {
  const plugins = await Promise.all(names.map(loadPlugin));
  return Object.fromEntries(plugins.map(({ definition }) => [definition.name, definition.config.optional()]));
};

/** Reads the configuration with the sections of all services, built in and plugged in. */
export const loadSettings = async (options: SettingsOptions): Promise<Settings> => {
  const { file, env, flags = {}, flagNames = {} } = options;
  const named = Object.entries(flags).map(([key, value]) => [key, { value, name: flagNames[key] ?? key }] as const);
  const { config, warnings, from, shape, text } = await loadConfig({
    shape: configShape,
    extend: toPluginShape,
    env,
    flags: Object.fromEntries(named),
    ...(file === undefined ? {} : { file }),
  });
  return { config: config as unknown as Config, warnings, given: new Set(from.keys()), from, shape: async () => shape, text, env, options };
};
