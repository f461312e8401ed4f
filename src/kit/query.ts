// Query parameters of our own routes: understood to the letter, or refused.

import { AppError } from './errors.ts';
import { nearestNames } from './nearest.ts';

const MAX_VALUE = 256;

const refuse = (argument: string, message: string, details: Readonly<Record<string, unknown>> = {}): AppError =>
  new AppError('INVALID_ARGUMENT', message, { details: { argument, ...details } });

/** Values by name; an unknown or repeated parameter is refused. */
export const readParameters = <Name extends string>(
  parameters: URLSearchParams,
  names: readonly Name[],
): { readonly [Key in Name]?: string } => {
  const values: { [Key in Name]?: string } = {};
  for (const [name, value] of parameters) {
    const known = names.find((item) => item === name);
    const shown = name.slice(0, 60);
    if (known === undefined)
      throw refuse(shown, `Unknown query parameter ${shown}.`, { nearest: nearestNames(shown, names), choices: names });
    if (values[known] !== undefined) throw refuse(known, `The query parameter ${known} is given twice.`);
    if (value === '' || value.length > MAX_VALUE) throw refuse(known, `${known} must have 1 to ${MAX_VALUE} characters.`);
    values[known] = value;
  }
  return values;
};
