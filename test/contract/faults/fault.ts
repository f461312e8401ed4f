// What a planted fault is: objects in a namespace of its own, and the one finding that must come of them.

import type { Planted } from './objects.ts';

export interface Expectation {
  readonly ref: string;
  readonly reason: string;
  readonly severity: 'critical' | 'warning' | 'info';
  /** The family of checks. */
  readonly check: string;
  /** Path in `of`, else in `ref`. */
  readonly field: string;
  readonly value: string | RegExp;
  readonly of?: string;
  readonly detail?: RegExp;
  /** Words that the evidence holds. */
  readonly evidence?: RegExp;
  /** Name of the tool that shows more. */
  readonly next: string;
}

export interface PlantedFault {
  /** Also, with blanks as dashes, the namespace. */
  readonly name: string;
  readonly plant: (namespace: string) => readonly Planted[];
  readonly expected: Expectation;
  /** Its object has no namespace: asked for by kind in the whole cluster. */
  readonly kind?: string;
  /** The real controllers bring its state about from what a person would apply. */
  readonly isLive?: true;
  /** On a live cluster it counts only after some minutes: the server's clock is set ahead by so many. */
  readonly later?: number;
}

export const GET = 'kubernetes_get_resource';
export const LOGS = 'kubernetes_get_logs';
export const NETWORK = 'kubernetes_check_network';
export const USAGE = 'kubernetes_get_usage';
