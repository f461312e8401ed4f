// Which values of a cluster are taught to the redactor: those of Secrets, and of environment variables whose names tell of a secret.

/** Longer values are archives (Helm releases): nothing that would reappear as it is. */
const MAX_LEARNT = 65_536;
const SECRET_NAME = /pass(word|wd|phrase)?|pwd|secret|token|key|credential|auth|private|dsn|connection/i;
/** Endings of names that tell where or what a thing is. Their values are names that stand everywhere. */
const PLACE_NAME =
  /(?:^|[_.-]|(?<=[a-z])(?=[A-Z]))(?:user(?:name)?|name|host(?:name)?|port|database|db|namespace|region|zone|bucket|endpoint|server|service|type|mode|method|algorithm|enabled|file|path|dir|ref|issuer|audience|client_?id|email|ttl|timeout|version|environment|env|stage|realm)$/i;
/** Words, host names and paths without a digit. */
const NAME = /^[a-z./:_-]{1,253}$/i;

/** Values of these variables are never shown. */
export const isSecretName = (name: string): boolean => SECRET_NAME.test(name);

/** A name that stands everywhere: masking it would hide pods and services, and no secret. In doubt it is none, and masked. */
const isName = (key: string, value: string, own: readonly string[]): boolean =>
  own.includes(value) || (PLACE_NAME.test(key) && NAME.test(value));

/** @param own names that the object itself bears: a Secret may hold its own namespace */
export const teach = (key: string, value: string, learnSecret: (value: string) => void, own: readonly string[] = []): void => {
  const text = value.trim();
  if (text.length <= MAX_LEARNT && !isName(key, text, own)) learnSecret(text);
};
