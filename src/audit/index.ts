// The audit log: who did what, when, with what outcome. Every tool call, prompt and resource read leaves a started and a completed line.

import type { Caller, Effect, Logger } from '../kit/context.ts';
import { EncoderPool } from '../kit/encoder.ts';
import { AppError, type ErrorCode } from '../kit/errors.ts';
import type { Mask } from '../kit/field-names.ts';
import { type Alerts, createAlerts, type Post } from './alerts.ts';
import type { AuditConfig } from './config.ts';
import { Journal } from './journal.ts';
import { createMasker } from './mask.ts';
import { maskObjects } from './objects.ts';
import type { QueryLimits } from './parameters.ts';
import { toQueryLimits } from './query-limits.ts';
import { type AuditFacts, type AuditOutcome, type LineFacts, toCompletedBody, toName, toSharedFields, toStartedBody } from './record.ts';
import type { AuditPage, AuditQuery, AuditStats, AuditStorage } from './storage.ts';
import { openStorages } from './storages.ts';

export { type AuditConfig, auditConfig } from './config.ts';
export type { AuditAction, AuditFacts, AuditObject, AuditOutcome, AuditRecord, AuditStatus } from './record.ts';
export { STATUSES } from './record.ts';
export type { AuditPage, AuditQuery, AuditStats, Position } from './storage.ts';

export interface AuditDeps {
  readonly logger: Logger;
  readonly now: () => number;
  /** Masks secret values that the server knows. */
  readonly mask: Mask;
  /** Posts alerts. */
  readonly post: Post;
  /** Tells the redactor about secrets of this section. */
  readonly learnSecret?: (value: string, options?: { readonly own?: boolean }) => void;
  /** Whether this server can change anything; without a disk that is worth a warning. */
  readonly offersChanges?: boolean;
  readonly encoders?: EncoderPool;
  /** For metrics: records that were lost, and storage failures. */
  readonly count?: (event: 'dropped' | 'storage_failure') => void;
  /** 0 to 1, for sampling. */
  readonly random?: () => number;
}

/** A request that was refused before it became a call. */
export interface Refusal {
  readonly address: string;
  readonly userId?: string;
  /** Method and route pattern, such as `POST /mcp`. */
  readonly action: string;
  readonly code: ErrorCode;
  readonly message?: string;
  readonly requestId?: string;
  readonly traceId?: string;
  readonly serviceName?: string;
}

/** An operation that is being recorded. */
export interface AuditEntry {
  /** Resolves when the operation may begin: for changes, when the started line is on disk. Rejects with SERVICE_UNAVAILABLE. */
  readonly ready: Promise<void> | undefined;
  /** Resolves when the completed line is on disk, for changes; undefined for reads, which do not wait. */
  end(outcome: AuditOutcome): Promise<void> | undefined;
}

export interface AuditLog {
  begin(facts: AuditFacts): AuditEntry;
  refused(refusal: Refusal): void;
  /** Records any operation that is no tool call; the result and the failure pass through. */
  observe<Result>(facts: AuditFacts, work: () => Promise<Result>): Promise<Result>;
  /** Whether lists and pings are recorded too. */
  readonly recordsLists: boolean;
  readonly limits: QueryLimits;
  /** Throws UNSUPPORTED where the storage cannot be queried. */
  query(query: AuditQuery): Promise<AuditPage>;
  stats(range: { from: number; to: number }): Promise<AuditStats>;
  flush(): Promise<void>;
  close(): Promise<void>;
}

const DENIED: ReadonlySet<string> = new Set<ErrorCode>(['FORBIDDEN', 'APPROVAL_REQUIRED', 'UNAUTHENTICATED', 'RATE_LIMITED']);

/** How a failure counts. A question to the user that is still open is a change that was not approved. */
export const toOutcome = (thrown: unknown): Pick<AuditOutcome, 'error'> & { status: 'failure' | 'denied' | 'cancelled' } => {
  if (thrown instanceof AppError) {
    const status = thrown.code === 'CANCELLED' ? 'cancelled' : DENIED.has(thrown.code) ? 'denied' : 'failure';
    return { status, error: `${thrown.code}: ${thrown.message}` };
  }
  const { name, message } = thrown as { name?: unknown; message?: unknown };
  if (name === 'InputNeeded') return { status: 'denied', error: 'APPROVAL_REQUIRED: the user is asked' };
  if (name === 'AbortError') return { status: 'cancelled', error: 'CANCELLED: the call was cancelled' };
  // Errors of the protocol have words for callers; those of an unknown fault stay inside.
  if (name === 'ProtocolError') return { status: 'failure', error: String(message) };
  return { status: 'failure', error: 'INTERNAL: the server failed to answer' };
};

/** Who called, and from where. */
export const toCallerFacts = ({ id, address }: Caller): Pick<AuditFacts, 'userId' | 'callerIp'> => ({
  userId: id,
  callerIp: address ?? '',
});

const createAlertsOf = ({ alerts }: AuditConfig, deps: AuditDeps): Alerts | undefined => {
  if (!alerts.enabled || alerts.method === 'none') return undefined;
  if (alerts.webhookURL === undefined)
    throw new AppError('INVALID_ARGUMENT', `Configuration audit.alerts.webhookURL: method ${alerts.method} needs one.`, {
      details: { key: 'audit.alerts.webhookURL' },
    });
  return createAlerts({
    post: deps.post,
    url: alerts.webhookURL,
    textOnly: alerts.method === 'slack',
    failureThreshold: alerts.failureThreshold,
    intervalMs: alerts.checkIntervalSec * 1000,
    now: deps.now,
    logger: deps.logger,
  });
};

/** Whether an operation is recorded whatever its outcome; else only when it fails. */
const isAlwaysRecorded = (config: AuditConfig, effect: Effect | undefined, random: () => number): boolean => {
  const isChange = effect === 'write' || effect === 'delete';
  if (config.level === 'error') return false;
  if (isChange) return true;
  if (config.level === 'warn') return false;
  return !config.sampling.enabled || random() < config.sampling.rate;
};

/** What the operator should know about a choice that loses records of changes. */
const warn = ({ level, storage }: AuditConfig, { logger, offersChanges }: AuditDeps): void => {
  if (offersChanges !== true) return;
  if (storage === 'memory')
    logger.warn(
      { key: 'audit.storage' },
      'changes are allowed, and their records do not survive this process: use audit.storage file or database',
    );
  if (level === 'error') logger.warn({ key: 'audit.level' }, 'changes are allowed, and those that succeed are not recorded');
};

/** Opens the configured storages. A storage that cannot be opened is an error. */
export const openAudit = async (config: AuditConfig, deps: AuditDeps): Promise<AuditLog> => {
  const { logger, now, random = Math.random, count = () => {}, encoders = new EncoderPool() } = deps;
  for (const value of [config.database.connectionString, config.alerts.webhookURL])
    if (value !== undefined) deps.learnSecret?.(value, { own: true });
  warn(config, deps);
  const alerts = createAlertsOf(config, deps);
  const storages = await openStorages(config, { logger, now, encoders });
  const journals = storages.map(
    (storage) =>
      new Journal({
        storage,
        format: storage.name === 'file' ? config.format : 'json',
        logger,
        onFailure: () => count('storage_failure'),
        onDropped: () => count('dropped'),
      }),
  );
  const reader = storages[storages.length - 1] as AuditStorage;
  const writer = (journals[0] as Journal).writer;
  const toInput = createMasker({
    mask: deps.mask,
    fields: config.masking.enabled ? config.masking.fields : [],
    maskValue: config.masking.maskValue,
  });
  let records = 0;

  const append = (body: string, facts: LineFacts, must: boolean): boolean => {
    let isTaken = true;
    for (const journal of journals) isTaken = journal.append(body, facts, must) && isTaken;
    return isTaken;
  };
  const commit = async (): Promise<void> => {
    await Promise.all(journals.map((journal) => journal.commit()));
  };
  const noRoom = (): AppError =>
    new AppError('SERVICE_UNAVAILABLE', 'The audit log has no room, so nothing that must be recorded is done.', {
      details: { service: 'audit', retry_after: '30s' },
    });

  const toTold = (outcome: AuditOutcome): AuditOutcome => {
    const { error, objects } = outcome;
    if (error === undefined && objects === undefined) return outcome;
    return {
      ...outcome,
      ...(error === undefined ? {} : { error: deps.mask(error) }),
      ...(objects === undefined ? {} : { objects: maskObjects(objects, { toJson: toInput, mask: deps.mask }) }),
    };
  };

  const begin = (facts: AuditFacts): AuditEntry => {
    const at = now();
    const began = performance.now();
    records += 1;
    const record = `${writer}-${String(records).padStart(9, '0')}`;
    const isChange = facts.effect === 'write' || facts.effect === 'delete';
    const isRecorded = isAlwaysRecorded(config, facts.effect, random);
    const userId = toName(facts.userId);
    const toolName = toName(facts.toolName);
    const { serviceName, cluster, namespace } = facts;
    const known = {
      ...facts,
      userId,
      toolName,
      // Words of the caller, as they came.
      ...(cluster === undefined ? {} : { cluster: deps.mask(cluster) }),
      ...(namespace === undefined ? {} : { namespace: deps.mask(namespace) }),
    };
    const shared = toSharedFields(record, new Date(at).toISOString(), known, toInput(facts.input));
    const line = { record, at, userId, serviceName, toolName };
    const start = (): boolean => append(toStartedBody(shared, known), { ...line, phase: 'started', status: 'started' }, false);
    let isStarted = isRecorded && start();
    const toReady = (): Promise<void> | undefined => {
      if (isChange && isRecorded) return isStarted ? commit() : Promise.reject(noRoom());
      return journals.some((journal) => journal.isFull) ? Promise.all(journals.map((journal) => journal.room())).then(() => {}) : undefined;
    };
    return {
      ready: toReady(),
      end(outcome) {
        if (!isRecorded && outcome.status === 'success') return undefined;
        const told = toTold(outcome);
        if (outcome.status === 'failure') alerts?.failed({ toolName, error: told.error });
        isStarted ||= start();
        const durationMs = Math.round((performance.now() - began) * 1000) / 1000;
        const completed = toCompletedBody(shared, known, told, durationMs);
        append(completed, { ...line, phase: 'completed', status: outcome.status }, isChange && isStarted);
        return isChange && isRecorded ? commit() : undefined;
      },
    };
  };

  const flush = async (): Promise<void> => {
    await Promise.all(journals.map((journal) => journal.flush()));
  };
  return {
    begin,
    recordsLists: config.level === 'debug',
    limits: toQueryLimits(config),
    refused({ address, userId = '', action, code, message, requestId = '', traceId = '', serviceName = '' }) {
      const entry = begin({ action, toolName: '', serviceName, userId, callerIp: address, requestId, traceId, input: {} });
      entry.ready?.catch(() => {});
      void entry.end({ status: 'denied', error: message === undefined ? code : `${code}: ${message}` });
    },
    async observe(facts, work) {
      const entry = begin(facts);
      if (entry.ready !== undefined) await entry.ready;
      try {
        const result = await work();
        void entry.end({ status: 'success' });
        return result;
      } catch (thrown) {
        void entry.end(toOutcome(thrown));
        throw thrown;
      }
    },
    async query(query) {
      // What cannot be stored now is missing from the answer; that is told by the alarm, not by failing the query.
      await flush().catch(() => {});
      return reader.query(query);
    },
    async stats(range) {
      await flush().catch(() => {});
      return reader.stats(range);
    },
    flush,
    async close() {
      await alerts?.close();
      await Promise.all(journals.map((journal) => journal.close()));
    },
  };
};
