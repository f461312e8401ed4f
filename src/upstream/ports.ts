// What the upstream room asks of its surroundings: small structural ports, so that the room stands on kit/errors.ts alone.

/** A structured logger: facts first, words second (pino's order). */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** Milliseconds since the epoch. */
export type Clock = () => number;
