// What the upstream room asks of its surroundings.

export type { Logger } from '../kit/context.ts';

/** Milliseconds since the epoch. */
export type Clock = () => number;

/** How a backend is called: `service` in details (`grafana`), `title` in sentences (`Grafana`). */
export interface Backend {
  readonly service: string;
  readonly title: string;
}
