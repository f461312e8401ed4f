// Makes keys, and judges those that were given.

import { createHash, randomInt } from 'node:crypto';
import { AppError } from '../kit/errors.ts';

const BASE62 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
const MIN_LENGTH = 16;
const MAX_LENGTH = 1024;
const MIN_BITS = 96;

export interface GenerateOptions {
  /** Random characters, beside the prefix. */
  readonly length?: number;
  readonly prefix?: string;
  /** The characters that may stand in it: printable ASCII, each once. */
  readonly alphabet?: string;
}

const refuse = (argument: string, message: string): AppError => new AppError('INVALID_ARGUMENT', message, { details: { argument } });

/** A key from the system's random source, every character of the alphabet equally likely. Throws INVALID_ARGUMENT for what would be weak. */
export const generateKey = ({ length = 40, prefix = '', alphabet = BASE62 }: GenerateOptions = {}): string => {
  if (!/^[\x21-\x7e]*$/.test(alphabet) || new Set(alphabet).size !== alphabet.length || alphabet.length < 2)
    throw refuse('alphabet', 'The alphabet must be two or more different printable characters without spaces.');
  if (!/^[A-Za-z0-9._-]{0,32}$/.test(prefix))
    throw refuse('prefix', 'The prefix may have 32 letters, digits, dots, dashes and underscores.');
  const bits = length * Math.log2(alphabet.length);
  if (!Number.isInteger(length) || length < MIN_LENGTH || length > MAX_LENGTH || bits < MIN_BITS)
    throw refuse('length', `The length must be ${MIN_LENGTH} to ${MAX_LENGTH} characters, and enough for ${MIN_BITS} random bits.`);
  return prefix + Array.from({ length }, () => alphabet.charAt(randomInt(alphabet.length))).join('');
};

/** `sha256:<hex>` of a random key, as `auth.apiKeys[].hash` takes it. Fit for generated keys alone: passwords need scrypt. */
export const hashKey = (key: string): string => `sha256:${createHash('sha256').update(key).digest('hex')}`;

/** Keys of manuals and samples, in lower case without separators. */
const SAMPLES =
  /^(?:change(?:me|it|this)|your(?:secret|api|super|own|static|bearer)|replace|example|insert|my(?:secret|super|api)|secretapikey|supersecret|testapikey|sampleapikey|placeholder|todo|1234567890|0123456789|abcdefgh|password)/;

const hasOneRepeatedPart = (text: string): boolean => /^(.{1,4})\1+.{0,3}$/.test(text);

/** Throws INVALID_ARGUMENT for a key that is too short, or known from a manual. */
export const checkStrength = (value: string, name: string, least = MIN_LENGTH): void => {
  const details = { key: name };
  const advice = 'Make one with: cloud-native-mcp-server secrets generate';
  if (value.length < least)
    throw new AppError('INVALID_ARGUMENT', `Configuration ${name}: must have at least ${least} characters. ${advice}`, { details });
  if (SAMPLES.test(value.toLowerCase().replace(/[^a-z0-9]/g, '')) || hasOneRepeatedPart(value))
    throw new AppError('INVALID_ARGUMENT', `Configuration ${name}: this is a sample value that anyone may try. ${advice}`, { details });
};
