// Parts of app.ts that a start seldom needs: secrets of the configuration that stand elsewhere.

import { randomBytes } from 'node:crypto';
import type { Logger } from './kit/context.ts';
import { AppError } from './kit/errors.ts';
import { createSealer, type Sealer } from './kit/seal.ts';
import type { Secrets } from './secrets/create.ts';
import type { Config, Settings } from './settings.ts';
import type { KubernetesConfig } from './upstream/kubernetes/config.ts';

const MIN_SIGNING_KEY = 32;

/** Seals with the shared key of replicas, and with its successor as soon as that stands in its place. Without one the key is of this process. */
export const openSealer = async (
  { security, changes }: Config,
  { secrets, now }: { secrets: Secrets; now: () => number },
): Promise<Sealer> => {
  if (security.signingKey === undefined) return createSealer(randomBytes(32));
  const check = (value: string): void => {
    if (value.length >= MIN_SIGNING_KEY) return;
    throw new AppError('INVALID_ARGUMENT', `Configuration security.signingKey: must have at least ${MIN_SIGNING_KEY} characters.`, {
      details: { key: 'security.signingKey' },
    });
  };
  const handle = secrets.define('security.signingKey', security.signingKey, { check });
  const sealer = createSealer(await handle.current());
  // Nothing that was sealed lives longer than the record of a change.
  const keepMs = changes.keepHours * 3_600_000;
  // A key that has expired meanwhile cannot be read: the one before stays.
  handle.onChange(
    () =>
      void Promise.resolve(handle.current()).then(
        (key) => sealer.replace(key, { now: now(), keepMs }),
        () => {},
      ),
  );
  return sealer;
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
