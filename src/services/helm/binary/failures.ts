// What the binary says when it fails, as codes and words that tell the next step. Its own words go to details, cut and cleaned.

import { AppError, type ErrorCode } from '../../../kit/errors.ts';
import { cleanText } from '../../../upstream/http.ts';

interface Failure {
  readonly code: ErrorCode;
  readonly words: string;
  readonly details?: Readonly<Record<string, unknown>>;
}

const TABLE: readonly (readonly [RegExp, Failure])[] = [
  [
    /another operation \(install\/upgrade\/rollback\) is in progress/,
    {
      code: 'FAILED_PRECONDITION',
      words: 'Another operation on this release is in progress, or was interrupted: see helm_get_release.',
      details: { reason: 'PENDING' },
    },
  ],
  [/cannot re-?use a name that is still in use/, { code: 'CONFLICT', words: 'The name of the release is in use.' }],
  [
    /has no deployed releases/,
    {
      code: 'FAILED_PRECONDITION',
      words: 'The release was never deployed: uninstall it, then install again.',
      details: { reason: 'NEVER_DEPLOYED' },
    },
  ],
  [/release: not found|release not loaded/, { code: 'NOT_FOUND', words: 'There is no such release.' }],
  [
    /exists and cannot be imported|invalid ownership metadata|unable to continue with (?:install|update)/,
    { code: 'CONFLICT', words: 'An object of the chart exists already and does not belong to this release.' },
  ],
  [
    /(?:Apply|apply) failed with \d+ conflict|conflict with "/,
    { code: 'CONFLICT', words: 'A field of an object belongs to another manager.', details: { reason: 'FIELD_MANAGER' } },
  ],
  [
    /values don't meet the specifications of the schema/,
    { code: 'INVALID_ARGUMENT', words: 'The values do not fit the schema of the chart.', details: { argument: 'values' } },
  ],
  [
    /namespaces "[^"]*" not found/,
    {
      code: 'FAILED_PRECONDITION',
      words: 'The namespace does not exist: createNamespace makes it.',
      details: { reason: 'NAMESPACE_ABSENT' },
    },
  ],
  [
    /is forbidden|cannot (?:create|get|list|patch|delete|update) resource/,
    { code: 'FORBIDDEN', words: 'The cluster does not allow this.', details: { by: 'rbac' } },
  ],
  [/timed out waiting|context deadline exceeded|timeout/i, { code: 'DEADLINE_EXCEEDED', words: 'Helm gave up waiting.' }],
  [
    /ensure CRDs are installed first|no matches for kind/,
    { code: 'FAILED_PRECONDITION', words: 'The chart uses a kind that this cluster does not serve.', details: { reason: 'KIND_ABSENT' } },
  ],
  [
    /hook|failed pre-|failed post-/,
    { code: 'FAILED_PRECONDITION', words: 'A hook of the chart failed.', details: { reason: 'HOOK_FAILED' } },
  ],
  [
    /connection refused|no such host|Kubernetes cluster unreachable|i\/o timeout/,
    { code: 'SERVICE_UNAVAILABLE', words: 'Helm cannot reach the cluster.', details: { service: 'helm', retry_after: '30s' } },
  ],
  [
    /template:|execution error|parse error|YAML parse error|nil pointer evaluating|chart requires kubeVersion|missing in charts/,
    { code: 'INVALID_ARGUMENT', words: 'The chart cannot be rendered with these values.', details: { argument: 'values' } },
  ],
];

const OTHER: Failure = { code: 'FAILED_PRECONDITION', words: 'Helm failed.', details: { reason: 'HELM_FAILED' } };

/** The last words: warnings come first. */
const lastWords = (stderr: string): string =>
  stderr
    .split('\n')
    .filter((line) => line.trim() !== '' && !/^(?:WARNING|level=|time=|W\d{4}|I\d{4})/.test(line))
    .slice(-8)
    .join(' ')
    .replace(/^Error: /, '');

/** @param folder of the run: its path says nothing to a caller */
export const toHelmError = (stderr: string, folder: string): AppError => {
  const [, { code, words, details }] = TABLE.find(([pattern]) => pattern.test(stderr)) ?? [undefined, OTHER];
  const upstream = cleanText(lastWords(stderr).replaceAll(`${folder}/`, ''));
  return new AppError(code, words, { details: { ...details, ...(upstream === '' ? {} : { upstream }) } });
};
