// The secret manager: values by name, encrypted in memory, with versions that overlap, expire, and follow the place they come from.

import { hash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Logger } from '../kit/context.ts';
import { formatDuration } from '../kit/duration.ts';
import { AppError, toAppError } from '../kit/errors.ts';
import { onFirstUse } from '../kit/once.ts';
import { createSealer } from '../kit/seal.ts';
import type { SecretSource } from '../kit/secret.ts';
import { signFile } from '../kit/sign-file.ts';
import { readSecretFile } from './file.ts';
import { parseReference, type Reference } from './reference.ts';

export interface SecretHandle extends SecretSource {
  /** Resolves when there is a value; throws what hinders it. */
  ready(): Promise<void>;
  /** Constant-time: the newest value, or an older one during its overlap. Nothing is accepted before `ready`, nor after the expiry. */
  judge(digest: Buffer): Verdict;
}

/** `expired`: it was the right one once. */
export type Verdict = 'accepted' | 'expired' | 'unknown';

export interface SecretStatus {
  readonly name: string;
  /** `hash`: the value itself is not known here. */
  readonly source: Reference['kind'] | 'hash';
  /** Counts rotations; 0 = never read. */
  readonly version: number;
  /** Seconds until the newest version expires; negative afterwards. Absent = never. */
  readonly remainingSec?: number;
}

export interface DefineOptions {
  /** Milliseconds since the epoch. */
  readonly expires?: number;
  /** Throws for values that must not be used: at the start it stops, at a rotation the old value stays. */
  readonly check?: (value: string) => void;
}

export interface RotateOptions {
  readonly expires?: number;
  /** How long older values are accepted; absent = `secrets.rotation.overlapSec`. */
  readonly overlapSec?: number;
}

/** Reads what stands outside of files. */
export interface SecretReaders {
  readonly kubernetes?: (reference: { namespace: string; name: string; key: string }, signal: AbortSignal) => Promise<string>;
  readonly vault?: (reference: { path: string; field: string }, signal: AbortSignal) => Promise<string>;
}

export interface SecretManagerOptions {
  readonly now: () => number;
  readonly logger: Logger;
  /** Told of every value, so that it is masked wherever it reappears. */
  readonly learn: (value: string) => void;
  readonly readers?: SecretReaders;
  readonly checkSec: number;
  readonly overlapSec: number;
  readonly warnBeforeSec: number;
}

export interface SecretManager {
  /** Declares a secret by its name: a value, or a reference. Nothing is read yet. A name is declared once. */
  define(name: string, value: string, options?: DefineOptions): SecretHandle;
  /** Watches the end of a credential that is known by its hash alone. */
  watch(name: string, expires: number): void;
  /** By name only. Throws NOT_FOUND. */
  get(name: string): SecretHandle;
  /** Makes a new version active; the old ones are accepted until their overlap ends. */
  rotate(name: string, value: string, options?: RotateOptions): void;
  /** Looks at every reference now. */
  refresh(): Promise<void>;
  /** Names and times, never values: for `doctor` and metrics. */
  status(): readonly SecretStatus[];
  /** What `judge` takes: a keyed digest of a candidate. */
  digest(candidate: string): Buffer;
  close(): void;
}

const MAX_SECRETS = 1000;
const MAX_VERSIONS = 8;
const READ_TIMEOUT_MS = 15_000;

interface Version {
  readonly sealed: string;
  readonly digest: Buffer;
  readonly expires: number;
  /** Older versions: until when they are accepted. */
  until: number;
  warned: boolean;
}

interface Entry {
  readonly name: string;
  readonly reference: Reference;
  readonly options: DefineOptions;
  readonly listeners: Set<() => void>;
  readonly handle: SecretHandle;
  /** Newest first. */
  versions: Version[];
  count: number;
  signature: string;
  reading: Promise<void> | undefined;
  isFailing: boolean;
}

export const createSecretManager = ({
  now,
  logger,
  learn,
  readers = {},
  checkSec,
  overlapSec,
  warnBeforeSec,
}: SecretManagerOptions): SecretManager => {
  const sealer = onFirstUse(() => createSealer(randomBytes(32)));
  // Blinds what is compared in constant time. It never leaves the process, so a prefix does what an HMAC would, in a quarter of the time.
  const blind = randomBytes(32).toString('hex');
  const digest = (candidate: string): Buffer => hash('sha256', blind + candidate, 'buffer');
  const entries = new Map<string, Entry>();
  /** Known by their hashes alone. */
  const watched = new Map<string, { readonly expires: number; warned: boolean }>();
  let timer: NodeJS.Timeout | undefined;
  const startTimer = (): void => {
    timer ??= setInterval(() => void refresh(), checkSec * 1000).unref();
  };
  const toRemaining = (expires: number): number => Math.floor((expires - now()) / 1000);

  const add = (
    entry: Entry,
    value: string,
    { expires = Number.MAX_SAFE_INTEGER, overlapSec: overlap = overlapSec }: RotateOptions,
  ): void => {
    entry.options.check?.(value);
    learn(value);
    const time = now();
    for (const version of entry.versions) version.until = Math.min(version.until, time + overlap * 1000);
    const version = {
      sealed: sealer().seal('secret', entry.name, value, Number.MAX_SAFE_INTEGER),
      digest: digest(value),
      expires,
      until: Number.MAX_SAFE_INTEGER,
      warned: false,
    };
    entry.versions = [version, ...entry.versions.filter(({ until }) => until > time)].slice(0, MAX_VERSIONS);
    entry.count += 1;
    if (entry.count > 1) {
      logger.info({ secret: entry.name, version: entry.count, old_accepted_for: `${overlap}s` }, 'secret rotated');
      for (const listener of [...entry.listeners]) listener();
    }
  };

  const read = (reference: Exclude<Reference, { kind: 'literal' }>): Promise<string> => {
    const signal = AbortSignal.timeout(READ_TIMEOUT_MS);
    if (reference.kind === 'file') return readSecretFile(reference.path);
    const reader = reference.kind === 'kubernetes' ? readers.kubernetes?.(reference, signal) : readers.vault?.(reference, signal);
    return reader ?? Promise.reject(new AppError('UNSUPPORTED', `References of the kind ${reference.kind}: cannot be read here.`));
  };

  /** Takes a new value when the source has one. */
  const look = async (entry: Entry): Promise<void> => {
    const { reference } = entry;
    if (reference.kind === 'literal') return;
    const signature = reference.kind === 'file' ? await signFile(reference.path) : '';
    if (signature !== '' && signature === entry.signature) return;
    const value = await read(reference);
    const [newest] = entry.versions;
    if (newest === undefined || !timingSafeEqual(newest.digest, digest(value))) add(entry, value, entry.options);
    entry.signature = signature;
    entry.isFailing = false;
  };
  const lookOnce = (entry: Entry): Promise<void> => {
    entry.reading ??= look(entry).finally(() => {
      entry.reading = undefined;
    });
    return entry.reading;
  };

  /** A value that was read once stays in use while its source fails: an outage of Vault is none of ours. */
  const refreshOne = async (entry: Entry): Promise<void> => {
    try {
      await lookOnce(entry);
    } catch (thrown) {
      if (!entry.isFailing)
        logger.warn(
          { secret: entry.name, reason: toAppError(thrown).message },
          'a secret cannot be read again; the last value stays in use',
        );
      entry.isFailing = true;
    }
  };

  const warn = (name: string, ending: { readonly expires: number; warned: boolean } | undefined): void => {
    if (ending === undefined || ending.warned || ending.expires - now() > warnBeforeSec * 1000) return;
    ending.warned = true;
    const left = ending.expires - now();
    logger.warn(
      { secret: name },
      left > 0 ? `a secret expires in ${formatDuration(left)}: rotate it` : 'a secret has expired: it is refused',
    );
  };

  const refresh = async (): Promise<void> => {
    await Promise.all([...entries.values()].map(refreshOne));
    for (const entry of entries.values()) {
      entry.versions = entry.versions.filter(({ until }) => until > now());
      warn(entry.name, entry.versions[0]);
    }
    for (const [name, ending] of watched) warn(name, ending);
  };

  const find = (name: string): Entry => {
    const entry = entries.get(name);
    if (entry === undefined) throw new AppError('NOT_FOUND', `There is no secret ${name}.`, { details: { name } });
    return entry;
  };

  const current = async (entry: Entry): Promise<string> => {
    if (entry.versions.length === 0) await lookOnce(entry);
    const [newest] = entry.versions;
    if (newest === undefined || newest.expires <= now())
      throw new AppError('UNAUTHENTICATED', `The secret ${entry.name} has expired: put a new value in its place.`, {
        details: { setting: entry.name },
      });
    const opened = sealer().open('secret', entry.name, newest.sealed, now());
    if ('value' in opened) return String(opened.value);
    throw new AppError('INTERNAL', `The secret ${entry.name} cannot be opened.`);
  };

  const judge = (entry: Entry, candidate: Buffer): Verdict => {
    const time = now();
    let verdict: Verdict = 'unknown';
    for (const { digest: known, expires, until } of entry.versions) {
      if (!timingSafeEqual(known, candidate) || verdict === 'accepted') continue;
      verdict = expires > time && until > time ? 'accepted' : 'expired';
    }
    return verdict;
  };

  const toHandle = (name: string): SecretHandle => ({
    name,
    current: () => current(find(name)),
    ready: async () => void (await lookOnce(find(name))),
    judge: (candidate) => judge(find(name), candidate),
    onChange(listener) {
      const { listeners } = find(name);
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  });

  return {
    digest,
    define(name, value, options = {}) {
      if (entries.has(name)) throw new AppError('INTERNAL', `The secret ${name} is declared twice.`);
      if (entries.size >= MAX_SECRETS) throw new AppError('INVALID_ARGUMENT', `More than ${MAX_SECRETS} secrets are configured.`);
      const reference = parseReference(value, name);
      const entry: Entry = {
        name,
        // The literal itself is kept encrypted alone.
        reference: reference.kind === 'literal' ? { kind: 'literal', value: '' } : reference,
        options,
        listeners: new Set(),
        handle: toHandle(name),
        versions: [],
        count: 0,
        signature: '',
        reading: undefined,
        isFailing: false,
      };
      if (reference.kind === 'literal') add(entry, reference.value, options);
      entries.set(name, entry);
      startTimer();
      return entry.handle;
    },
    watch(name, expires) {
      if (watched.size < MAX_SECRETS) watched.set(name, { expires, warned: false });
      startTimer();
    },
    get: (name) => find(name).handle,
    rotate(name, value, options = {}) {
      add(find(name), value, options);
    },
    refresh,
    status: () => [
      ...[...entries.values()].map(({ name, reference, count, versions: [newest] }) => ({
        name,
        source: reference.kind,
        version: count,
        ...(newest === undefined || newest.expires === Number.MAX_SAFE_INTEGER ? {} : { remainingSec: toRemaining(newest.expires) }),
      })),
      ...[...watched].map(([name, { expires }]) => ({ name, source: 'hash' as const, version: 1, remainingSec: toRemaining(expires) })),
    ],
    close() {
      clearInterval(timer);
      timer = undefined;
      entries.clear();
      watched.clear();
    },
  };
};
