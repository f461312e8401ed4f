// What is recorded of one operation, and its two lines: started, and completed. The fields that both share are written once.

import type { Effect } from '../kit/context.ts';

export const STATUSES = ['started', 'success', 'failure', 'denied', 'cancelled'] as const;
export type AuditStatus = (typeof STATUSES)[number];
export type AuditAction = 'tools/call' | 'prompts/get' | 'resources/read' | (string & {});

/** A record as queries show it (compatibility.md section 8). */
export interface AuditRecord {
  /** When it began, RFC 3339. */
  readonly timestamp: string;
  readonly caller_ip: string;
  /** The authenticated principal. */
  readonly user_id: string;
  /** `other` for names that do not exist. */
  readonly tool_name: string;
  readonly service_name: string;
  readonly action: AuditAction;
  /** Arguments, redacted and bounded. */
  readonly input_params: unknown;
  readonly output?: { readonly sha256: string; readonly size: number };
  readonly duration_ms?: number;
  readonly status: AuditStatus;
  readonly error_msg?: string;
  readonly request_id: string;
  readonly trace_id: string;
  readonly effect?: Effect;
  readonly cluster?: string;
  readonly namespace?: string;
  readonly objects?: readonly AuditObject[];
  readonly plan_hash?: string;
  readonly approved_by?: string;
  readonly prev_hash: string;
  readonly hash: string;
}

/** An object of a change, with its versions before and after, and what was changed in it. */
export interface AuditObject {
  readonly ref: string;
  readonly operation: string;
  readonly before?: string;
  readonly after?: string;
  /** As the plan showed them: values of Secrets as keyed hashes, long values cut. */
  readonly changes?: readonly { readonly path: string; readonly before?: unknown; readonly after?: unknown }[];
}

/** What is known when an operation begins. */
export interface AuditFacts {
  readonly action: AuditAction;
  readonly toolName: string;
  readonly serviceName: string;
  readonly userId: string;
  readonly callerIp: string;
  readonly requestId: string;
  readonly traceId: string;
  readonly input: unknown;
  readonly effect?: Effect;
  readonly cluster?: string | undefined;
  readonly namespace?: string | undefined;
  readonly planHash?: string | undefined;
  readonly approvedBy?: string | undefined;
}

/** What is known when it ends. Fields that were absent at the beginning may be added. */
export interface AuditOutcome {
  readonly status: Exclude<AuditStatus, 'started'>;
  readonly error?: string | undefined;
  readonly output?: { readonly sha256: string; readonly size: number };
  readonly objects?: readonly AuditObject[] | undefined;
  readonly cluster?: string | undefined;
  readonly namespace?: string | undefined;
  readonly planHash?: string | undefined;
  readonly approvedBy?: string | undefined;
}

/** What storages index of a line. */
export interface LineFacts {
  /** The same on both lines of a record. */
  readonly record: string;
  readonly phase: 'started' | 'completed';
  /** When the operation began, ms since the epoch. */
  readonly at: number;
  readonly userId: string;
  readonly serviceName: string;
  readonly toolName: string;
  readonly status: AuditStatus;
}

/** A line with its place in the chain. */
export interface AuditLine extends LineFacts {
  readonly seq: number;
  readonly writer: string;
  readonly line: string;
}

const MAX_ERROR = 500;
const MAX_NAME = 200;

/** A name as it is stored and found: bounded, and without the one character that databases refuse. */
export const toName = (value: string): string => {
  const clean = value.includes('\0') ? value.replaceAll('\0', '') : value;
  return clean.length > MAX_NAME ? `${clean.slice(0, MAX_NAME - 3)}...` : clean;
};

const text = (value: string, limit = MAX_NAME): string => JSON.stringify(value.length > limit ? `${value.slice(0, limit)}...` : value);
const optional = (name: string, value: string | undefined): string => (value === undefined ? '' : `,"${name}":${text(value)}`);

/** Fields that both lines share, as open JSON. Fields with fixed words need no escaping. */
export const toSharedFields = (record: string, timestamp: string, facts: AuditFacts, input: string): string =>
  `{"id":"${record}","timestamp":"${timestamp}","caller_ip":${text(facts.callerIp)},"user_id":${text(facts.userId)},"tool_name":${text(facts.toolName)},"service_name":${text(facts.serviceName)},"action":${text(facts.action)},"input_params":${input},"request_id":${text(facts.requestId)},"trace_id":${text(facts.traceId)}${facts.effect === undefined ? '' : `,"effect":"${facts.effect}"`}`;

const toPlaceFields = (known: Pick<AuditOutcome, 'cluster' | 'namespace' | 'planHash' | 'approvedBy'>): string =>
  `${optional('cluster', known.cluster)}${optional('namespace', known.namespace)}${optional('plan_hash', known.planHash)}${optional('approved_by', known.approvedBy)}`;

export const toStartedBody = (shared: string, facts: AuditFacts): string => `${shared},"status":"started"${toPlaceFields(facts)}`;

export const toCompletedBody = (shared: string, facts: AuditFacts, outcome: AuditOutcome, durationMs: number): string => {
  const { output, objects } = outcome;
  return `${shared},"status":"${outcome.status}","duration_ms":${durationMs}${
    output === undefined ? '' : `,"output":{"sha256":"${output.sha256}","size":${output.size}}`
  }${outcome.error === undefined ? '' : `,"error_msg":${text(outcome.error, MAX_ERROR)}`}${toPlaceFields({
    cluster: facts.cluster ?? outcome.cluster,
    namespace: facts.namespace ?? outcome.namespace,
    planHash: facts.planHash ?? outcome.planHash,
    approvedBy: facts.approvedBy ?? outcome.approvedBy,
  })}${objects === undefined || objects.length === 0 ? '' : `,"objects":${JSON.stringify(objects)}`}`;
};

/** The text form of the same fields, for people and log shippers. Cannot be queried. */
export const toTextBody = (body: string): string =>
  Object.entries(JSON.parse(`${body}}`) as Record<string, unknown>)
    .map(([name, value]) => {
      const words = typeof value === 'string' ? value : JSON.stringify(value);
      return `${name}=${/[\s"=]/.test(words) || words === '' ? JSON.stringify(words) : words}`;
    })
    .join(' ');

type StoredRecord = AuditRecord & { readonly id: string; readonly writer: string; readonly seq: number; readonly follows?: string };

/** A stored line as a record of a query: without what only the chain needs. */
export const toRecord = (line: string): AuditRecord => {
  const { id: _, writer: __, seq: ___, follows: ____, ...record } = JSON.parse(line) as StoredRecord;
  return record;
};

/** What storages index, read back from a line of JSON; undefined when it is none. */
export const toLineFacts = (line: string): LineFacts | undefined => {
  try {
    const record = JSON.parse(line) as StoredRecord;
    const at = Date.parse(record.timestamp);
    if (typeof record.id !== 'string' || Number.isNaN(at)) return undefined;
    return {
      record: record.id,
      phase: record.status === 'started' ? 'started' : 'completed',
      at,
      userId: record.user_id,
      serviceName: record.service_name,
      toolName: record.tool_name,
      status: record.status,
    };
  } catch {
    return undefined;
  }
};
