// How services join an investigation without knowing each other: three questions that any service may answer (house.md 3.2).

import type { CallContext } from './context.ts';
import type { NextCall } from './result.ts';

export interface Target {
  readonly kind: string;
  readonly name: string;
  readonly namespace?: string;
  readonly cluster?: string;
}

/** Milliseconds since the epoch. */
export interface Window {
  readonly from: number;
  readonly to: number;
}

export interface Hit {
  readonly kind: string;
  readonly name: string;
  readonly namespace?: string;
  readonly ref: string;
  readonly matchedOn: string;
  readonly open: NextCall;
}

export interface ChangeEntry {
  readonly at: string;
  readonly source: string;
  readonly ref: string;
  readonly what: string;
  readonly by?: string;
}

export interface Evidence {
  readonly severity: 'critical' | 'warning' | 'info';
  readonly at?: string;
  readonly fact: string;
  readonly ref?: string;
  readonly next?: NextCall;
  readonly untrusted?: boolean;
}

/** Answered in parallel by all services that have them; each with its own deadline in `ctx.signal`. */
export interface Signals<Client> {
  find?(
    query: { readonly text: string; readonly namespace?: string; readonly limit: number },
    client: Client,
    ctx: CallContext,
  ): Promise<readonly Hit[]>;
  changes?(target: Target | undefined, window: Window, client: Client, ctx: CallContext): Promise<readonly ChangeEntry[]>;
  evidence?(target: Target, window: Window, client: Client, ctx: CallContext): Promise<readonly Evidence[]>;
}
