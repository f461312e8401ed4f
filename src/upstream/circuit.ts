// A circuit breaker per target: a backend that keeps failing is left alone for a while, and calls that would wait for it are refused at once.
import { BrokenCircuitError, CircuitState, ConsecutiveBreaker, circuitBreaker, handleWhen } from 'cockatiel';
import { AppError } from '../kit/errors.ts';
import { classifyTransport } from './failures.ts';
import type { Backend } from './ports.ts';

export interface CircuitChange {
  readonly state: 'closed' | 'open' | 'half_open';
  /** Failures counted since the last change that was told. */
  readonly failures: number;
}

export interface CircuitOptions {
  readonly backend: Backend;
  /** Failures in a row that open it; 0 = it never opens. */
  readonly failures?: number | undefined;
  /** How long it stays open before one request tries again, ms. */
  readonly openMs?: number | undefined;
  readonly onChange?: ((change: CircuitChange) => void) | undefined;
}

export interface Circuit {
  /** Runs one attempt, or throws SERVICE_UNAVAILABLE (`reason: CIRCUIT_OPEN`) without it. `isOutage` says whether an answer counts as a failure. */
  run<Answer>(attempt: () => Promise<Answer>, isOutage: (answer: Answer) => boolean): Promise<Answer>;
}

export const DEFAULT_FAILURES = 5;
export const DEFAULT_OPEN_MS = 10_000;

const STATES = {
  [CircuitState.Closed]: 'closed',
  [CircuitState.Open]: 'open',
  [CircuitState.HalfOpen]: 'half_open',
  [CircuitState.Isolated]: 'open',
} as const;

/** Carries an answer that counts as a failure through the policy, which knows failures by what is thrown. */
class Outage<Answer> extends Error {
  readonly answer: Answer;
  constructor(answer: Answer) {
    super('outage');
    this.answer = answer;
  }
}

/** Broken connections, and a backend that did not answer in its own time; callers who leave are no failure of it. */
const isFailure = (error: unknown, { service }: Backend): boolean => {
  if (error instanceof Outage) return true;
  if (error instanceof AppError) return error.code === 'DEADLINE_EXCEEDED' && error.details['service'] === service;
  return classifyTransport(error).reason !== 'CONNECTION';
};

export const createCircuit = ({ backend, failures = DEFAULT_FAILURES, openMs = DEFAULT_OPEN_MS, onChange }: CircuitOptions): Circuit => {
  if (failures === 0) return { run: (attempt) => attempt() };
  let openedAt = 0;
  const policy = circuitBreaker(
    // While one request tries again, whatever ends it badly keeps the circuit open.
    handleWhen((error) => isFailure(error, backend) || policy.state === CircuitState.HalfOpen),
    { halfOpenAfter: openMs, breaker: new ConsecutiveBreaker(failures) },
  );
  const tell = (state: CircuitState, counted: number): void => onChange?.({ state: STATES[state], failures: counted });
  policy.onStateChange((state) => {
    if (state === CircuitState.Open) openedAt = performance.now();
    tell(state, 0);
  });
  policy.onFailure(({ handled }) => {
    if (handled) tell(policy.state, 1);
  });
  tell(CircuitState.Closed, 0);

  const toRefusal = (): AppError => {
    const left = Math.max(1000, openMs - (performance.now() - openedAt));
    return new AppError('SERVICE_UNAVAILABLE', `${backend.title} failed ${failures} times in a row and is left alone for a moment.`, {
      details: { service: backend.service, reason: 'CIRCUIT_OPEN', retry_after: `${Math.ceil(left / 1000)}s` },
    });
  };
  /** Open and not due for a try, or somebody else is trying. */
  const isClosedToUs = (): boolean =>
    policy.state === CircuitState.HalfOpen || (policy.state === CircuitState.Open && performance.now() - openedAt < openMs);

  return {
    async run(attempt, isOutage) {
      if (isClosedToUs()) throw toRefusal();
      try {
        return await policy.execute(async () => {
          const answer = await attempt();
          if (isOutage(answer)) throw new Outage(answer);
          return answer;
        });
      } catch (error) {
        if (error instanceof Outage) return error.answer;
        // The policy keeps time by another clock: it may still hold what we thought due.
        if (error instanceof BrokenCircuitError) throw toRefusal();
        throw error;
      }
    },
  };
};
