// A refused list over all namespaces names those where it would be allowed: never a silent fallback to one of them.

import type { CallContext } from '../../kit/context.ts';
import { AppError, toAppError } from '../../kit/errors.ts';
import type { KubernetesClient } from '../../upstream/kubernetes/client.ts';
import { RESOURCES } from '../../upstream/kubernetes/resources.ts';

const MAX_ASKED = 20;

/** What to throw for a refused list of releases. */
export const explainForbiddenReleases = async (
  thrown: unknown,
  client: KubernetesClient,
  { namespace, ctx }: { namespace: string | undefined; ctx: CallContext },
): Promise<unknown> => {
  const error = toAppError(thrown);
  if (error.code !== 'FORBIDDEN' || error.details['by'] === 'policy') return thrown;
  const missing = `list secrets${namespace === undefined ? ' in all namespaces' : ` in namespace ${namespace}`}`;
  const details = { ...error.details, missing };
  if (namespace !== undefined)
    return new AppError('FORBIDDEN', `Releases are kept in Secrets, which may not be listed: the right to ${missing} is missing.`, {
      details,
      cause: error,
    });
  const page = await client.listTable(RESOURCES.namespaces, { signal: ctx.signal, limit: MAX_ASKED }).catch(() => undefined);
  const names = [...new Set([client.defaultNamespace, ...(page?.rows.map(({ cells }) => String(cells[0])) ?? [])])];
  const answers = await Promise.all(
    names.map((name) =>
      client.accessReview({ verb: 'list', group: '', resource: 'secrets', namespace: name }, { signal: ctx.signal }).then(
        ({ allowed }) => allowed,
        () => false,
      ),
    ),
  );
  const allowedNamespaces = names.filter((_, index) => answers[index]);
  const hint = allowedNamespaces.length > 0 ? ` Allowed in: ${allowedNamespaces.join(', ')}. Name one with namespace.` : '';
  return new AppError('FORBIDDEN', `Releases are kept in Secrets: the right to ${missing} is missing.${hint}`, {
    details: { ...details, allowedNamespaces },
    cause: error,
  });
};
