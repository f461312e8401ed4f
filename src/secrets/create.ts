// Builds the secret manager from the configuration, with the readers of Vault and, when it is handed one, of Kubernetes.

import type { Logger } from '../kit/context.ts';
import { AppError } from '../kit/errors.ts';
import type { SecretsConfig } from './config.ts';
import { createSecretManager, type SecretManager, type SecretReaders } from './manager.ts';
import { createVault } from './vault.ts';

export interface SecretsDeps {
  readonly now: () => number;
  readonly logger: Logger;
  readonly learn: (value: string) => void;
  readonly kubernetes: NonNullable<SecretReaders['kubernetes']>;
}

export interface Secrets extends Omit<SecretManager, 'close'> {
  close(): Promise<void>;
}

/** Opens no connection: each source is asked when a secret that stands there is first needed. */
export const createSecrets = ({ rotation, vault: settings }: SecretsConfig, { now, logger, learn, kubernetes }: SecretsDeps): Secrets => {
  const toToken = (): Promise<string> => manager.get('secrets.vault.token').current();
  const vault = createVault({ ...settings, token: settings.token === undefined ? undefined : toToken });
  const manager = createSecretManager({
    now,
    logger,
    learn,
    ...rotation,
    readers: { kubernetes, vault: ({ path, field }, signal) => vault.read(path, field, signal) },
  });
  if (settings.token?.startsWith('vault:') === true)
    throw new AppError('INVALID_ARGUMENT', 'Configuration secrets.vault.token: the token of Vault cannot stand in Vault itself.', {
      details: { key: 'secrets.vault.token' },
    });
  if (settings.token !== undefined) manager.define('secrets.vault.token', settings.token);
  return {
    ...manager,
    async close() {
      manager.close();
      await vault.close();
    },
  };
};
