// Parts of app.ts that a start seldom needs: secrets of the configuration that stand elsewhere.

import type { Logger } from './kit/context.ts';
import { AppError } from './kit/errors.ts';
import type { Secrets } from './secrets/create.ts';
import type { Config, Settings } from './settings.ts';
import type { KubernetesConfig } from './upstream/kubernetes/config.ts';

const MIN_SIGNING_KEY = 32;

/** The shared key of replicas; undefined = none is configured. */
export const resolveSigningKey = async ({ security }: Config, secrets: Secrets): Promise<string | undefined> => {
  if (security.signingKey === undefined) return undefined;
  const check = (value: string): void => {
    if (value.length >= MIN_SIGNING_KEY) return;
    throw new AppError('INVALID_ARGUMENT', `Configuration security.signingKey: must have at least ${MIN_SIGNING_KEY} characters.`, {
      details: { key: 'security.signingKey' },
    });
  };
  return secrets.define('security.signingKey', security.signingKey, { check }).current();
};

/** A field of a Secret, read with the server's own rights from the default cluster. */
export const readKubernetesSecret = async (
  { config, env }: Settings,
  reference: { namespace: string; name: string; key: string },
  { now, logger, signal }: { readonly now: () => number; readonly logger: Logger; readonly signal: AbortSignal },
): Promise<string> => {
  const { readSecret } = await import('./services/kubernetes/read-secret.ts');
  return readSecret(config['kubernetes'] as KubernetesConfig, reference, { env, now, logger, signal });
};
