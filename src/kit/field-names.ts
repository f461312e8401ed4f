// Names of fields whose values are masked: one check for answers, logs and audit records.

/** Masks what must not leave in a text. */
export interface Mask {
  (text: string): string;
  /** Whether a value is masked for the name of its field (security.redaction.fields); absent = no names are configured. */
  readonly hides?: ((name: string) => boolean) | undefined;
}

/** `adminPassword`, `admin_password` and `Admin-Password` are the words admin and password. */
const toWords = (name: string): string =>
  name
    .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, ' ')
    .trim();

const MAX_NAMES = 2000;

/** Whether a name is one of the fields or ends with one. Names repeat, so answers are remembered, as long as there are few. */
export const createNameCheck = (fields: readonly string[]): ((name: string) => boolean) => {
  const wanted = fields.flatMap((field) => [toWords(field), toWords(field).replaceAll(' ', '')]);
  const known = new Map<string, boolean>();
  return (name) => {
    const found = known.get(name);
    if (found !== undefined) return found;
    const words = toWords(name);
    const isField = wanted.some((field) => words === field || words.endsWith(` ${field}`));
    if (known.size < MAX_NAMES && name.length <= 64) known.set(name, isField);
    return isField;
  };
};

/** Fields whose value belongs to the name that stands beside them: environment variables, sections of an answer, changes of a field. */
const NAMED_BESIDE: Readonly<Record<string, readonly string[]>> = { value: ['name', 'key'], before: ['path'], after: ['path'] };

/** Whether the value of a field is masked: for its own name, or for the one beside it. */
export const hidesField = (fields: object, name: string, hides: (name: string) => boolean): boolean => {
  if (hides(name)) return true;
  if (!Object.hasOwn(NAMED_BESIDE, name)) return false;
  return (NAMED_BESIDE[name] ?? []).some((beside) => {
    const owner = (fields as Readonly<Record<string, unknown>>)[beside];
    return typeof owner === 'string' && hides(owner.replace(/\.value$/, ''));
  });
};
