// secrets: makes keys, and hashes of keys and passwords for the configuration. Nothing is stored; a key is shown once.

import { once } from 'node:events';
import { AppError } from '../kit/errors.ts';
import { generateKey, hashKey } from '../secrets/generate.ts';
import { hashPassword } from '../secrets/password.ts';
import { NAME } from '../version.ts';
import { HELP_OPTION, parseFlags } from './options.ts';

const HELP = `Usage: ${NAME} secrets generate [--length N] [--prefix TEXT] [--alphabet CHARACTERS]
       ${NAME} secrets hash < password

  generate  prints a new random key once, and its hash for auth.apiKeys[].hash
  hash      reads a password from stdin and prints its scrypt hash for auth.users[].hash

  --length N             random characters, 16 to 1024; default 40
  --prefix TEXT          stands before them, so that scanners know the key; default cnm_
  --alphabet CHARACTERS  what they are chosen from; default letters and digits
`;

const OPTIONS = { length: { type: 'string' }, prefix: { type: 'string' }, alphabet: { type: 'string' }, ...HELP_OPTION } as const;
const MAX_PASSWORD = 1024;

type Values = Readonly<Record<string, string | boolean | undefined>>;

const generate = ({ length, prefix = 'cnm_', alphabet }: Values): void => {
  const key = generateKey({
    prefix: String(prefix),
    ...(length === undefined ? {} : { length: Number(length) }),
    ...(alphabet === undefined ? {} : { alphabet: String(alphabet) }),
  });
  process.stdout.write(`key:  ${key}\nhash: ${hashKey(key)}\n`);
  process.stderr.write('The key is shown this once: give it to the caller. The hash goes into auth.apiKeys[].hash.\n');
};

const readPassword = async (): Promise<string> => {
  if (process.stdin.isTTY) process.stderr.write('Password (it is shown while you type), then Enter: ');
  let text = '';
  process.stdin.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
    if (text.includes('\n') || text.length > MAX_PASSWORD) process.stdin.destroy();
  });
  await once(process.stdin, 'close');
  const [password = ''] = text.split(/\r?\n/, 1);
  if (password.length < 12 || password.length > MAX_PASSWORD)
    throw new AppError('INVALID_ARGUMENT', `A password has 12 to ${MAX_PASSWORD} characters.`);
  return password;
};

/** @returns the exit code */
export const run = async (argv: readonly string[]): Promise<number> => {
  const { values, positionals } = parseFlags(argv, OPTIONS, true);
  const [action, ...rest] = positionals;
  if (values['help'] === true || (action === undefined && rest.length === 0)) {
    process.stdout.write(HELP);
    return action === undefined && values['help'] !== true ? 2 : 0;
  }
  if (rest.length > 0 || (action !== 'generate' && action !== 'hash'))
    throw new AppError('INVALID_ARGUMENT', `There is no secrets ${[action, ...rest].join(' ')}. It is: secrets generate, or secrets hash.`);
  if (action === 'generate') generate(values);
  else process.stdout.write(`${await hashPassword(await readPassword())}\n`);
  return 0;
};
