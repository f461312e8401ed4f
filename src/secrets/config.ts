// Configuration of the secret manager: how secrets rotate, and where Vault is.

import { z } from 'zod';
import { described, names, secret, section } from '../kit/config.ts';

export const secretsConfig = section({
  provider: described(
    z
      .enum(['memory'], {
        error:
          'must be memory: values are held encrypted in this process. Where they come from is said by each secret key (file:, kubernetes:, vault:)',
      })
      .default('memory'),
    'MCP_SECRETS_PROVIDER',
    'Where secrets are held: in the memory of this process, encrypted.',
  ),
  rotation: section({
    checkSec: described(
      z.int().min(1).max(86_400).default(30),
      'MCP_SECRETS_ROTATION_CHECK',
      'How often referenced secrets and certificate files are looked at for a new value, seconds.',
    ),
    overlapSec: described(
      z.int().min(0).max(604_800).default(300),
      'MCP_SECRETS_ROTATION_OVERLAP',
      'How long the old value is accepted after a rotation, seconds; 0 = not at all.',
    ),
    warnBeforeSec: described(
      z.int().min(0).max(31_536_000).default(604_800),
      'MCP_SECRETS_ROTATION_WARN_BEFORE',
      'How long before its expiry a secret is warned about, seconds.',
    ),
  }),
  vault: section({
    address: described(z.url().optional(), 'VAULT_ADDR', 'Address of Vault, for `vault:` references.'),
    token: secret('VAULT_TOKEN', 'Token for Vault; literal or `file:`.'),
    namespace: described(z.string().min(1).optional(), 'VAULT_NAMESPACE', 'Namespace in Vault Enterprise.'),
    caFile: described(z.string().min(1).optional(), 'VAULT_CACERT', 'Certificate authority of Vault, PEM.'),
    mount: described(z.string().min(1).default('secret'), 'MCP_SECRETS_VAULT_MOUNT', 'Mount of the KV version 2 engine.'),
  }),
});

export type SecretsConfig = z.infer<typeof secretsConfig>;

/** Keys of the section `security`. */
export const redactionKeys = {
  redaction: section({
    fields: names(
      'MCP_REDACTION_FIELDS',
      'Names of fields whose values are masked in answers, audit and logs beside what is built in, also where a name ends with one.',
    ),
    values: described(
      z
        .boolean()
        .refine(
          (isOn) => isOn,
          'must be true: secret values that the server has seen are always masked. To mask more, name fields in security.redaction.fields',
        )
        .default(true),
      'MCP_REDACTION_VALUES',
      'Mask the secret values that the server has seen; cannot be switched off.',
    ),
  }),
} as const;
