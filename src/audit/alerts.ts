// Tells someone when calls fail: at most one message per interval, posted beside the calls, never in their way.

import type { Logger } from '../kit/context.ts';
import { toAppError } from '../kit/errors.ts';

const POST_LIMIT_MS = 5000;

/** Posts JSON and gives the status; throws when there is none. */
export type Post = (url: string, body: object, how: { readonly signal: AbortSignal; readonly timeoutMs: number }) => Promise<number>;

export interface AlertOptions {
  readonly post: Post;
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

export const createAlerts = ({ post: send, url, textOnly, failureThreshold, intervalMs, now, logger }: AlertOptions): Alerts => {
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
      const status = await send(url, body, { signal: stopping.signal, timeoutMs: POST_LIMIT_MS });
      if (status < 200 || status >= 300) logger.warn({ status }, 'the audit alert was refused');
    } catch (thrown) {
      logger.warn({ reason: toAppError(thrown).code }, 'the audit alert could not be sent');
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
