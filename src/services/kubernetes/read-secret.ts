// Reads one field of a Secret for the server itself: the `kubernetes:namespace/name/key` references of the configuration.

import { AppError } from '../../kit/errors.ts';
import type { Clock, Logger } from '../../upstream/http.ts';
import type { KubernetesConfig } from '../../upstream/kubernetes/config.ts';
import { RESOURCES } from '../../upstream/kubernetes/resources.ts';
import { createKubernetesTargets } from '../../upstream/kubernetes/targets.ts';

export interface ReadSecretDeps {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly now: Clock;
  readonly logger: Logger;
}

/** With the server's own rights, from the default cluster. Opens and closes its connection: it is asked seldom. */
export const readSecret = async (
  config: KubernetesConfig,
  { namespace, name, key }: { readonly namespace: string; readonly name: string; readonly key: string },
  { env, now, logger, signal }: ReadSecretDeps & { readonly signal: AbortSignal },
): Promise<string> => {
  // What callers may reach is no limit for the server's own settings.
  const targets = await createKubernetesTargets({ ...config, namespaces: [], timeoutMs: config.timeoutSec * 1000, env, now, logger });
  try {
    const client = await targets.client();
    const { data } = (await client.get(RESOURCES.secrets, { namespace, name, signal })) as unknown as {
      data?: Readonly<Record<string, string>>;
    };
    const encoded = data !== undefined && Object.hasOwn(data, key) ? data[key] : undefined;
    if (encoded === undefined || encoded === '')
      throw new AppError('NOT_FOUND', `The Secret ${namespace}/${name} has no key ${key}.`, {
        details: { choices: Object.keys(data ?? {}).slice(0, 20) },
      });
    return Buffer.from(encoded, 'base64')
      .toString('utf8')
      .replace(/\r?\n$/, '');
  } finally {
    await targets.close();
  }
};
