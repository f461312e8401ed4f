// Equal reads in flight are one: whoever comes while it runs waits with the others. It ends early only when nobody waits any more.

interface Flight<Value> {
  readonly result: Promise<Value>;
  readonly controller: AbortController;
  waiting: number;
}

export interface Flights<Value> {
  /** Joins the read of this key, or starts it with a signal of its own. Rejects with the reason of `signal` when that is aborted. */
  join(key: string, signal: AbortSignal, start: (signal: AbortSignal) => Promise<Value>): Promise<Value>;
}

/** Each flight removes itself when it ends, so there are never more than calls. */
export const createFlights = <Value>(): Flights<Value> => {
  const flights = new Map<string, Flight<Value>>();
  const open = (key: string, start: (signal: AbortSignal) => Promise<Value>): Flight<Value> => {
    const controller = new AbortController();
    const flight: Flight<Value> = { controller, waiting: 0, result: start(controller.signal) };
    flights.set(key, flight);
    const land = (): void => {
      if (flights.get(key) === flight) flights.delete(key);
    };
    flight.result.then(land, land);
    return flight;
  };
  return {
    async join(key, signal, start) {
      signal.throwIfAborted();
      const flight = flights.get(key) ?? open(key, start);
      flight.waiting += 1;
      let leave: () => void = () => {};
      const left = new Promise<never>((_, reject) => {
        leave = () => reject(signal.reason);
        signal.addEventListener('abort', leave, { once: true });
      });
      try {
        return await Promise.race([flight.result, left]);
      } finally {
        signal.removeEventListener('abort', leave);
        flight.waiting -= 1;
        // Nobody joins a read that was given up: the next call starts a new one.
        if (flight.waiting === 0 && signal.aborted) {
          if (flights.get(key) === flight) flights.delete(key);
          flight.controller.abort(signal.reason);
        }
      }
    },
  };
};
