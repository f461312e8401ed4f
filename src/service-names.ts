// Part of app.ts: names of services in the configuration. A typing error must not open a service, nor lose a route.

import { absentServices } from './config/absent.ts';
import { AppError } from './kit/errors.ts';
import { nearestNames } from './kit/nearest.ts';
import type { ServerConfig } from './settings.ts';

const check = (key: string, names: readonly string[], known: readonly string[], accepted: readonly string[]): void => {
  const unknown = names.find((name) => !accepted.includes(name));
  if (unknown === undefined) return;
  const nearest = nearestNames(unknown, accepted);
  const hint = nearest[0] === undefined ? '' : ` Did you mean ${nearest[0]}?`;
  throw new AppError('INVALID_ARGUMENT', `Configuration ${key}: there is no service ${unknown}.${hint}`, {
    details: { key, nearest, choices: known },
  });
};

/** Services of the earlier edition that are not here may be named; they have no effect. */
export const checkServiceNames = ({ enableDisable, server }: ServerConfig, known: readonly string[]): void => {
  const accepted = [...known, ...absentServices(known)];
  for (const list of ['enabledServices', 'disabledServices'] as const) check(`enableDisable.${list}`, enableDisable[list], known, accepted);
  for (const family of ['ssePaths', 'streamableHttpPaths', 'httpPaths'] as const)
    check(`server.${family}`, Object.keys(server[family]), known, [...accepted, 'aggregate']);
};
