// What the upstream room asks of its surroundings.

export type { Logger } from '../kit/context.ts';

/** Milliseconds since the epoch. */
export type Clock = () => number;
