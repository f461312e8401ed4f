// A secret as the rooms see it: a name, and the way to its value, which may change while the server runs.

/** Holds no value that could be printed: it is read when it is needed. */
export interface SecretSource {
  /** The configuration key, such as `auth.apiKey`. */
  readonly name: string;
  /** The newest value. Waits for its source the first time; throws when the secret cannot be read or has expired. */
  current(): Promise<string>;
  /** Calls back after a rotation; returns the way to stop that. */
  onChange(listener: () => void): () => void;
}
