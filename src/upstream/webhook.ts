// Posts a message to an address of the configuration. It may lie in a private network, since the operator named it; metadata services never.

/** @returns the status. Throws an AppError. Redirects are answers, never followed. */
export const postWebhook = async (
  url: string,
  body: object,
  { signal, timeoutMs }: { readonly signal: AbortSignal; readonly timeoutMs: number },
): Promise<number> => {
  const { createGuard } = await import('./guard.ts');
  const guard = createGuard({ schemes: ['http', 'https'], networks: ['0.0.0.0/0', '::/0'] });
  const headers = { 'content-type': 'application/json' };
  const answer = await guard.fetch(url, { method: 'POST', headers, body: JSON.stringify(body), maxBytes: 1024, timeoutMs, signal });
  return answer.status;
};
