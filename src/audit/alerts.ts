// Tells someone when calls fail: at most one message per interval, posted beside the calls, never in their way.

import type { Logger } from '../kit/context.ts';

const POST_LIMIT_MS = 5000;

export interface AlertOptions {
  readonly url: string;
  /** A webhook of Slack takes a text field and refuses others. */
  readonly textOnly: boolean;
  readonly failureThreshold: number;
  readonly intervalMs: number;
  readonly now: () => number;
  readonly logger: Logger;
}

export interface Failure {
  readonly toolName: string;
  readonly error: string | undefined;
}

export interface Alerts {
  failed(failure: Failure): void;
  /** Ends a message that is on its way. */
  close(): Promise<void>;
}

export const createAlerts = ({ url, textOnly, failureThreshold, intervalMs, now, logger }: AlertOptions): Alerts => {
  let begin = Number.NEGATIVE_INFINITY;
  let count = 0;
  let posting: Promise<void> | undefined;
  const stopping = new AbortController();
  const post = async ({ toolName, error }: Failure): Promise<void> => {
    const text = `cloud-native-mcp-server: ${count} calls failed within ${intervalMs / 1000} s. The last: ${toolName}${error === undefined ? '' : `, ${error}`}`;
    const body = textOnly
      ? { text }
      : { text, failures: count, interval_seconds: intervalMs / 1000, tool_name: toolName, error_msg: error };
    try {
      const response = await fetch(url, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
        redirect: 'error',
        signal: AbortSignal.any([stopping.signal, AbortSignal.timeout(POST_LIMIT_MS)]),
      });
      await response.body?.cancel();
      if (!response.ok) logger.warn({ status: response.status }, 'the audit alert was refused');
    } catch (thrown) {
      logger.warn({ reason: thrown instanceof Error ? thrown.name : 'unknown' }, 'the audit alert could not be sent');
    }
  };
  return {
    failed(failure) {
      const at = now();
      if (at - begin >= intervalMs) {
        begin = at;
        count = 0;
      }
      count += 1;
      if (count !== failureThreshold || posting !== undefined) return;
      posting = post(failure).finally(() => {
        posting = undefined;
      });
    },
    async close() {
      stopping.abort();
      await posting;
    },
  };
};
