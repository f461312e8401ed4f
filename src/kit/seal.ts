// Tokens that leave the server and come back: cursors, plans, request states. Sealed, so that a caller can neither read nor forge them.

import { createCipheriv, createDecipheriv, createHash, createHmac, hkdfSync, randomBytes } from 'node:crypto';

import { onFirstUse } from './once.ts';

const NONCE_BYTES = 12;
const TAG_BYTES = 16;

export interface Sealer {
  /** Encrypts a value for one purpose and one binding (caller, tool, arguments). Valid until `expires` (ms since the epoch). */
  seal(purpose: string, binding: string, value: unknown, expires: number): string;
  /** Gives the value back, or says why not. A token of another purpose or binding is as unknown as a forged one. */
  open(purpose: string, binding: string, token: string, now: number): { value: unknown } | { refused: 'invalid' | 'expired' };
  /** Keyed fingerprint: lets two secret values be compared without showing them. 16 hexadecimal digits. */
  fingerprint(value: string): string;
}

/** A sealer whose key can be exchanged while it is used. */
export interface RotatingSealer extends Sealer {
  /** Seals with this key from now on. What older keys sealed can be opened for `keepMs` more. */
  replace(key: string | Uint8Array, older: { readonly now: number; readonly keepMs: number }): void;
}

/** Binds a token to everything that must be equal when it comes back. */
export const toBinding = (...parts: readonly unknown[]): string => createHash('sha256').update(JSON.stringify(parts)).digest('base64url');

/** Keys that are still good for opening; more of them are rotations in a storm. */
const MAX_OLDER = 4;

/** What is derived of one key, made on first use. */
const createRing = (key: string | Uint8Array) => {
  const derive = (info: string): Buffer => Buffer.from(hkdfSync('sha256', key, new Uint8Array(), info, 32));
  const keys = new Map<string, Buffer>();
  const keyFor = (purpose: string): Buffer => {
    const known = keys.get(purpose) ?? derive(`seal:${purpose}`);
    keys.set(purpose, known);
    return known;
  };
  return { keyFor, fingerprintKey: onFirstUse(() => derive('fingerprint')) };
};

type Ring = ReturnType<typeof createRing>;

const openWith = ({ keyFor }: Ring, purpose: string, binding: string, token: string): readonly [number, unknown] | undefined => {
  try {
    const bytes = Buffer.from(token, 'base64url');
    // One form alone: the decoder passes over foreign characters, and over bits of the last one that carry nothing.
    if (bytes.toString('base64url') !== token) return undefined;
    const decipher = createDecipheriv('aes-256-gcm', keyFor(purpose), bytes.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES });
    decipher.setAAD(Buffer.from(binding));
    decipher.setAuthTag(bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES));
    const text = Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES + TAG_BYTES)), decipher.final()]).toString('utf8');
    return JSON.parse(text) as [number, unknown];
  } catch {
    return undefined;
  }
};

/** @param key at least 32 bytes, shared by all replicas */
export const createSealer = (key: string | Uint8Array): RotatingSealer => {
  let ring = createRing(key);
  /** Newest first. */
  let older: { readonly ring: Ring; readonly until: number }[] = [];
  return {
    replace(next, { now, keepMs }) {
      older = [{ ring, until: now + keepMs }, ...older.filter(({ until }) => until > now)].slice(0, MAX_OLDER);
      ring = createRing(next);
    },
    seal(purpose, binding, value, expires) {
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv('aes-256-gcm', ring.keyFor(purpose), nonce);
      cipher.setAAD(Buffer.from(binding));
      const body = Buffer.concat([cipher.update(JSON.stringify([expires, value]), 'utf8'), cipher.final()]);
      return Buffer.concat([nonce, cipher.getAuthTag(), body]).toString('base64url');
    },
    open(purpose, binding, token, now) {
      let opened = openWith(ring, purpose, binding, token);
      for (const { ring: former, until } of older) if (until > now) opened ??= openWith(former, purpose, binding, token);
      if (opened === undefined) return { refused: 'invalid' };
      const [expires, value] = opened;
      return expires < now ? { refused: 'expired' } : { value };
    },
    fingerprint: (value) => createHmac('sha256', ring.fingerprintKey()).update(value).digest('hex').slice(0, 16),
  };
};
