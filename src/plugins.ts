// The services that can be used: those that are built in, and those that are plugged in.

import { pathToFileURL } from 'node:url';
import { type ServiceCatalogue, toCatalogue } from './kit/catalogue.ts';
import { AppError } from './kit/errors.ts';
import type { ServiceDefinition } from './kit/service.ts';
import { type ServiceSlot, services } from './services/index.ts';

export const builtIn: Readonly<Record<string, ServiceSlot>> = services;

export interface Plugin {
  readonly definition: ServiceDefinition;
  readonly catalogue: ServiceCatalogue;
}

const isDefinition = (value: unknown): value is ServiceDefinition =>
  typeof value === 'object' && value !== null && 'name' in value && 'create' in value;

/** A plugin is a module whose default export (or any export) is a service definition. */
export const loadPlugin = async (specifier: string): Promise<Plugin> => {
  const isPath = /^[./]|^[A-Za-z]:[\\/]/.test(specifier);
  let module: Readonly<Record<string, unknown>>;
  try {
    module = (await import(isPath ? pathToFileURL(specifier).href : specifier)) as Readonly<Record<string, unknown>>;
  } catch (cause) {
    throw new AppError('INVALID_ARGUMENT', `The plugin ${specifier} cannot be loaded.`, { details: { key: 'plugins' }, cause });
  }
  const definition = [module['default'], ...Object.values(module)].find(isDefinition);
  if (definition === undefined)
    throw new AppError('INVALID_ARGUMENT', `The plugin ${specifier} exports no service: use defineService().`, {
      details: { key: 'plugins' },
    });
  return { definition, catalogue: toCatalogue(definition) };
};
