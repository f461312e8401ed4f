// The second level of the cache: what one replica has read, the others find in the shared store. A change anywhere ends all of it.

import type { Store } from '../store/store.ts';

export interface SharedCache {
  get(key: string): Promise<string | undefined>;
  /** Nothing waits for it. */
  set(key: string, value: string, ttlMs: number): void;
  /** Makes all replicas forget. */
  forget(): void;
  /** Calls back when another replica has changed something. */
  onForget(listener: () => void): void;
}

const CHANNEL = 'cache:forget';
const ERA = 'cache:era';
const ERA_MS = 30 * 86_400_000;
const MAX_VALUE = 1_000_000;

/**
 * Keys carry the number of changes so far, so that an answer from before a change is not found after it. A store that cannot be reached
 * is as good as an empty one.
 */
export const createSharedCache = (store: Store): SharedCache => {
  const own = `${process.pid}-${Math.random()}`;
  const listeners = new Set<() => void>();
  let era: Promise<string> | undefined;
  const current = (): Promise<string> => {
    era ??= store.get(ERA).then(
      (known) => known ?? '0',
      (thrown: unknown) => {
        era = undefined;
        throw thrown;
      },
    );
    return era;
  };
  void store.subscribe(CHANNEL, (from) => {
    if (from === own) return;
    era = undefined;
    for (const listener of listeners) listener();
  });
  return {
    get: async (key) => {
      try {
        return await store.get(`cache:${await current()}:${key}`);
      } catch {
        return undefined;
      }
    },
    set(key, value, ttlMs) {
      if (value.length > MAX_VALUE) return;
      void current()
        .then((number) => store.set(`cache:${number}:${key}`, value, ttlMs))
        .catch(() => {});
    },
    forget() {
      era = store.increment(ERA, ERA_MS).then(({ count }) => String(count));
      era
        .then(() => store.publish(CHANNEL, own))
        .catch(() => {
          era = undefined;
        });
    },
    onForget: (listener) => void listeners.add(listener),
  };
};
