// Reads a field of a secret from HashiCorp Vault: KV version 2, GET /v1/<mount>/data/<path> (developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2).

import { readFile } from 'node:fs/promises';
import type { Dispatcher } from 'undici';
import { AppError } from '../kit/errors.ts';

export interface VaultOptions {
  readonly address?: string | undefined;
  readonly token: (() => Promise<string>) | undefined;
  readonly namespace?: string | undefined;
  readonly caFile?: string | undefined;
  readonly mount: string;
}

export interface Vault {
  read(path: string, field: string, signal: AbortSignal): Promise<string>;
  close(): Promise<void>;
}

const MAX_BYTES = 1_048_576;
const TIMEOUT_MS = 10_000;

const toTrouble = (status: number, path: string): AppError => {
  const details = { service: 'vault', path, status };
  if (status === 403)
    return new AppError(
      'UNAUTHENTICATED',
      `Vault refuses to show ${path}: the token is not valid, or its policy does not allow reading it.`,
      { details },
    );
  if (status === 404)
    return new AppError(
      'NOT_FOUND',
      `Vault has no secret at ${path}, or its newest version is deleted. The mount is a setting: secrets.vault.mount.`,
      { details },
    );
  return new AppError('SERVICE_UNAVAILABLE', `Vault answered ${status}: it is sealed, in standby, or in trouble.`, {
    details: { ...details, retry_after: '30s' },
  });
};

const readBounded = async (body: Dispatcher.ResponseData['body']): Promise<string> => {
  let text = '';
  for await (const chunk of body) {
    text += String(chunk);
    if (text.length > MAX_BYTES) throw new AppError('DATA_ERROR', 'Vault answered more than a secret.', { details: { service: 'vault' } });
  }
  return text;
};

const toFields = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {};

const toField = (text: string, path: string, field: string): string => {
  let answer: unknown;
  try {
    answer = JSON.parse(text);
  } catch (cause) {
    throw new AppError('DATA_ERROR', 'Vault answered something that is no JSON.', { details: { service: 'vault' }, cause });
  }
  const fields = toFields(toFields(toFields(answer)['data'])['data']);
  const value = Object.hasOwn(fields, field) ? fields[field] : undefined;
  if (typeof value === 'string' && value !== '') return value;
  throw new AppError('NOT_FOUND', `The secret ${path} in Vault has no text field ${field}.`, {
    details: { service: 'vault', path, choices: Object.keys(fields).slice(0, 20) },
  });
};

/** The HTTP library is loaded with the first read. */
export const createVault = ({ address, token, namespace, caFile, mount }: VaultOptions): Vault => {
  let agent: Promise<Dispatcher> | undefined;
  const toAgent = async (): Promise<Dispatcher> => {
    const { Agent } = await import('undici');
    return new Agent({ connect: caFile === undefined ? {} : { ca: await readFile(caFile, 'utf8') } });
  };
  return {
    async read(path, field, signal) {
      if (address === undefined || token === undefined)
        throw new AppError(
          'INVALID_ARGUMENT',
          'A vault: reference needs secrets.vault.address (VAULT_ADDR) and secrets.vault.token (VAULT_TOKEN).',
          {
            details: { key: address === undefined ? 'secrets.vault.address' : 'secrets.vault.token' },
          },
        );
      agent ??= toAgent();
      const { request } = await import('undici');
      const url = `${address.replace(/\/+$/, '')}/v1/${mount.replace(/^\/+|\/+$/g, '')}/data/${path.split('/').map(encodeURIComponent).join('/')}`;
      const headers = {
        'x-vault-token': await token(),
        'x-vault-request': 'true',
        ...(namespace === undefined ? {} : { 'x-vault-namespace': namespace }),
      };
      const limit = AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]);
      const answer = await request(url, { headers, dispatcher: await agent, signal: limit }).catch((cause: unknown) => {
        throw new AppError('SERVICE_UNAVAILABLE', 'Vault does not answer: check secrets.vault.address and its certificate.', {
          details: { service: 'vault', retry_after: '30s' },
          cause,
        });
      });
      const text = await readBounded(answer.body);
      if (answer.statusCode !== 200) throw toTrouble(answer.statusCode, path);
      return toField(text, path, field);
    },
    async close() {
      await (await agent?.catch(() => undefined))?.destroy();
    },
  };
};
