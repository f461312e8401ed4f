// What a secret key of the configuration may hold: the value itself, or a reference to the place where it is.

import { AppError } from '../kit/errors.ts';

export type Reference =
  | { readonly kind: 'literal'; readonly value: string }
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'kubernetes'; readonly namespace: string; readonly name: string; readonly key: string }
  | { readonly kind: 'vault'; readonly path: string; readonly field: string };

const NAME = '[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?';
const KUBERNETES = new RegExp(`^(${NAME})/(${NAME})/([-._a-zA-Z0-9]{1,253})$`);
const VAULT = /^((?!\/)(?:(?!\.\.?(?:\/|$))[^/#?%\s]+\/?)+)#([^#\s]+)$/;

const refuse = (name: string, message: string): AppError =>
  new AppError('INVALID_ARGUMENT', `Configuration ${name}: ${message}`, { details: { key: name } });

/** Throws INVALID_ARGUMENT for a reference that cannot be meant; the value is never repeated. */
export const parseReference = (text: string, name: string): Reference => {
  if (text.startsWith('file:')) {
    const path = text.slice('file:'.length);
    if (path === '') throw refuse(name, 'a file: reference needs a path.');
    return { kind: 'file', path };
  }
  if (text.startsWith('kubernetes:')) {
    const [, namespace, secretName, key] = KUBERNETES.exec(text.slice('kubernetes:'.length)) ?? [];
    if (namespace === undefined || secretName === undefined || key === undefined)
      throw refuse(name, 'a kubernetes: reference has the form kubernetes:namespace/name/key.');
    return { kind: 'kubernetes', namespace, name: secretName, key };
  }
  if (text.startsWith('vault:')) {
    const [, path, field] = VAULT.exec(text.slice('vault:'.length)) ?? [];
    if (path === undefined || field === undefined) throw refuse(name, 'a vault: reference has the form vault:path#field.');
    return { kind: 'vault', path: path.replace(/\/$/, ''), field };
  }
  return { kind: 'literal', value: text };
};

export const isReference = (text: string): boolean => /^(?:file|kubernetes|vault):/.test(text);
