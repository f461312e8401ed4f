// A refused list over all namespaces names the namespaces where it would be allowed: never a silent fallback to one of them.

import { AppError } from '../../kit/errors.ts';
import { RESOURCES, type ResourceRef } from '../../upstream/kubernetes/resources.ts';
import type { ListCall } from './list-call.ts';

const MAX_ASKED = 20;

type RefusedList = Pick<ListCall, 'client' | 'ctx' | 'namespace'> & { readonly resource: ResourceRef };

const candidates = async ({ client, ctx }: RefusedList): Promise<readonly string[]> => {
  const page = await client.listTable(RESOURCES.namespaces, { signal: ctx.signal, limit: MAX_ASKED }).catch(() => undefined);
  return [...new Set([client.defaultNamespace, ...(page?.rows.map(({ cells }) => String(cells[0])) ?? [])])];
};

/** Adds `allowedNamespaces` to a FORBIDDEN of a list over all namespaces; any other failure stays as it is. */
export const explainForbiddenList = async (error: AppError, thrown: unknown, call: RefusedList): Promise<unknown> => {
  if (error.code !== 'FORBIDDEN' || call.namespace !== undefined || !call.resource.namespaced || error.details['by'] === 'policy')
    return thrown;
  const { group, plural } = call.resource;
  const names = await candidates(call);
  const answers = await Promise.all(
    names.map((namespace) =>
      call.client.accessReview({ verb: 'list', group, resource: plural, namespace }, { signal: call.ctx.signal }).then(
        ({ allowed }) => allowed,
        () => false,
      ),
    ),
  );
  const allowedNamespaces = names.filter((_, index) => answers[index]);
  const hint = allowedNamespaces.length > 0 ? ` Allowed in: ${allowedNamespaces.join(', ')}. Name one with namespace.` : '';
  return new AppError('FORBIDDEN', `${error.message}${hint}`, { details: { ...error.details, allowedNamespaces }, cause: error });
};
