// Passwords as scrypt hashes, in the form `$scrypt$ln=15,r=8,p=1$<salt>$<hash>` (base64 without padding).

import { randomBytes, type ScryptOptions, scrypt, timingSafeEqual } from 'node:crypto';
import { AppError } from '../kit/errors.ts';

const LOG_COST = 15;
const BLOCK_SIZE = 8;
const PARALLEL = 1;
const SALT_BYTES = 16;
const HASH_BYTES = 32;
const FORM = /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([A-Za-z0-9+/]{11,88})\$([A-Za-z0-9+/]{22,88})$/;

export interface PasswordHash {
  readonly options: ScryptOptions;
  readonly salt: Buffer;
  readonly hash: Buffer;
}

const toOptions = (logCost: number, r: number, p: number): ScryptOptions => ({ N: 2 ** logCost, r, p, maxmem: 256 * 2 ** logCost * r });

const derive = (password: string, salt: Buffer, bytes: number, options: ScryptOptions): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    scrypt(password.normalize('NFC'), salt, bytes, options, (error, key) => (error === null ? resolve(key) : reject(error)));
  });

const toBase64 = (bytes: Buffer): string => bytes.toString('base64').replace(/=+$/, '');

/** About a tenth of a second of work and 32 MiB, on purpose. */
export const hashPassword = async (password: string): Promise<string> => {
  const salt = randomBytes(SALT_BYTES);
  const hash = await derive(password, salt, HASH_BYTES, toOptions(LOG_COST, BLOCK_SIZE, PARALLEL));
  return `$scrypt$ln=${LOG_COST},r=${BLOCK_SIZE},p=${PARALLEL}$${toBase64(salt)}$${toBase64(hash)}`;
};

/** Throws INVALID_ARGUMENT; costs outside of what is safe and bearable are refused. */
export const parsePasswordHash = (text: string, name: string): PasswordHash => {
  const found = FORM.exec(text);
  const [logCost = 0, r = 0, p = 0] = (found ?? []).slice(1, 4).map(Number);
  if (found === null || logCost < 14 || logCost > 18 || r < 8 || r > 16 || p < 1 || p > 4)
    throw new AppError(
      'INVALID_ARGUMENT',
      `Configuration ${name}: must be a scrypt hash such as $scrypt$ln=15,r=8,p=1$... Make one with: cloud-native-mcp-server secrets hash`,
      { details: { key: name } },
    );
  return {
    options: toOptions(logCost, r, p),
    salt: Buffer.from(found[4] ?? '', 'base64'),
    hash: Buffer.from(found[5] ?? '', 'base64'),
  };
};

/** Takes its time for right and wrong alike; the comparison is constant-time. */
export const verifyPassword = async (password: string, { options, salt, hash }: PasswordHash): Promise<boolean> =>
  timingSafeEqual(await derive(password, salt, hash.length, options), hash);
