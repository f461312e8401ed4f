// Every call leaves a record, refusals too. A change begins only when its record is on disk, and is answered only when its outcome is.

import { hash } from 'node:crypto';
import { type AuditLog, type AuditObject, type AuditOutcome, toCallerFacts, toOutcome } from '../../audit/index.ts';
import type { ChangeRecord, ChangeTarget, FieldChange } from '../../kit/change.ts';
import type { Step } from '../../kit/compose.ts';
import { AppError } from '../../kit/errors.ts';
import type { FinalAnswer } from '../../kit/result.ts';
import type { Call } from '../call.ts';

export interface AuditStepDeps {
  readonly audit: AuditLog;
  /** A recorded change by its id. */
  readonly findChange: (changeId: string) => ChangeRecord | undefined;
}

const MAX_OBJECTS = 100;
const MAX_CHANGES = 50;
const PLAN_HASH_CHARS = 32;

const toTextOrNothing = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined);

/** A plan is known by the hash of its token: the call that made it and the call that applied it name the same one. */
const toPlanHash = (token: unknown): string | undefined =>
  typeof token === 'string' ? hash('sha256', token, 'hex').slice(0, PLAN_HASH_CHARS) : undefined;

/** The token of a plan is good for a change: its hash stands for it. */
const toInput = ({ request, args }: Call): unknown => {
  if (request.origin !== undefined) return request.origin.input;
  return typeof args['apply'] === 'string' ? { ...args, apply: toPlanHash(args['apply']) } : args;
};

const toChanges = (diff: readonly FieldChange[], of: string): Pick<AuditObject, 'changes'> => {
  const own = diff.filter(({ ref }) => ref === of).slice(0, MAX_CHANGES);
  const changes = own.map(({ path, before, after }) => ({
    path,
    ...(before === undefined ? {} : { before }),
    ...(after === undefined ? {} : { after }),
  }));
  return changes.length === 0 ? {} : { changes };
};

const toObjects = ({ targets, before = [], diff = [] }: ChangeRecord): AuditObject[] => {
  const versions = new Map(before.map(({ ref, version }) => [ref, version]));
  return targets.slice(0, MAX_OBJECTS).map(({ ref, operation, version }) => ({
    ref,
    operation,
    ...(versions.get(ref) === undefined ? {} : { before: versions.get(ref) as string }),
    ...(version === undefined ? {} : { after: version }),
    ...toChanges(diff, ref),
  }));
};

type ChangeFacts = Pick<AuditOutcome, 'objects' | 'planHash' | 'approvedBy'>;

/** What a change did or would do. A change without a token was approved by the person who was asked. */
const toChangeFacts = (call: Call, facts: Readonly<Record<string, unknown>>, { findChange }: AuditStepDeps): ChangeFacts => {
  const change = typeof facts['changeId'] === 'string' ? findChange(facts['changeId']) : undefined;
  if (change !== undefined)
    return {
      objects: toObjects(change),
      approvedBy: call.args['apply'] === undefined ? `user:${call.request.caller.id}` : undefined,
    };
  const { targets } = facts as { targets?: readonly ChangeTarget[] };
  return { objects: Array.isArray(targets) ? toPlanned(targets) : undefined, planHash: toPlanHash(facts['plan']) };
};

/** A budget may have cut the list: its last item is a word then. */
const isTarget = (target: unknown): target is ChangeTarget =>
  typeof target === 'object' && target !== null && 'ref' in target && typeof target.ref === 'string';

const toPlanned = (targets: readonly unknown[]): AuditObject[] =>
  targets
    .filter(isTarget)
    .slice(0, MAX_OBJECTS)
    .map(({ ref, operation, version }) => ({ ref, operation, ...(version === undefined ? {} : { before: version }) }));

const toSuccess = (call: Call, answer: FinalAnswer, deps: AuditStepDeps): AuditOutcome => {
  const text = answer.raw === undefined ? answer.text : JSON.stringify(answer.raw);
  return {
    status: 'success',
    output: { sha256: hash('sha256', text, 'hex'), size: Buffer.byteLength(text) },
    cluster: toTextOrNothing(answer.structured['cluster']),
    namespace: toTextOrNothing(answer.structured['namespace']),
    ...(call.tool.effect === 'read' ? {} : toChangeFacts(call, answer.structured, deps)),
  };
};

/** The change was made, but its outcome could not be stored: the caller must hear of both. */
const withWarning = (answer: FinalAnswer): FinalAnswer => {
  const warning = 'The outcome of this change could not be written to the audit log; its beginning was.';
  const { warnings } = answer.structured as { warnings?: readonly unknown[] };
  return {
    ...answer,
    structured: { ...answer.structured, warnings: [...(Array.isArray(warnings) ? warnings : []), warning] },
    text: `${answer.text}\nWarning: ${warning}`,
  };
};

export const audit =
  (deps: AuditStepDeps): Step<Call, FinalAnswer> =>
  async (call, next) => {
    const { request, tool, service, args, ctx } = call;
    const isApplied = tool.effect !== 'read' && typeof args['apply'] === 'string';
    const entry = deps.audit.begin({
      ...toCallerFacts(request.caller),
      action: request.origin?.action ?? 'tools/call',
      toolName: tool.name,
      serviceName: service,
      requestId: ctx.requestId,
      traceId: ctx.traceId,
      input: toInput(call),
      effect: tool.effect,
      cluster: toTextOrNothing(args['cluster']),
      namespace: toTextOrNothing(args['namespace']),
      planHash: isApplied ? toPlanHash(args['apply']) : undefined,
      approvedBy: isApplied ? `caller:${request.caller.id}` : undefined,
    });
    if (entry.ready !== undefined)
      await entry.ready.catch((thrown: unknown) => {
        // Refused before anything happened; that line too will be stored as soon as lines can be.
        entry.end(toOutcome(thrown))?.catch(() => {});
        throw thrown;
      });
    let answer: FinalAnswer;
    try {
      answer = await next(call);
    } catch (thrown) {
      const change = tool.effect !== 'read' && thrown instanceof AppError ? toChangeFacts(call, thrown.details, deps) : {};
      const stored = entry.end({ ...toOutcome(thrown), ...change });
      // The failure is the answer whether or not it could be stored; the alarm tells the rest.
      await stored?.catch(() => {});
      throw thrown;
    }
    const stored = entry.end(toSuccess(call, answer, deps));
    if (stored === undefined) return answer;
    return stored.then(
      () => answer,
      () => withWarning(answer),
    );
  };
