// config: looks at a configuration without starting a server. Each action is loaded on use.

import { AppError } from '../kit/errors.ts';
import { nearestNames } from '../kit/nearest.ts';

const HELP = `Usage: config validate [--json] [settings]       is it right, and do the backends answer? Exit code 1 when one does not, 2 when it is wrong
       config print [--json] [settings]          every key in effect, with where its value comes from; secrets as ***
       config schema [settings]                  JSON Schema for editors; with plugins when the configuration names some
       config migrate FILE                       a file of the Go edition as one of this: YAML on stdout, what became of each key on stderr
       config policy test --as ID --tool TOOL [--group G]... [--scope S]... [--cluster C] [--namespace N] [--kind K]... [--command WORDS]
                                                 may this caller make this call, and which rule says so? Exit code 0 allowed, 1 denied
`;

type Action = () => Promise<{ run(argv: readonly string[]): Promise<number> }>;

const ACTIONS: Readonly<Record<string, Action>> = {
  validate: () => import('./config-validate.ts'),
  print: () => import('./config-print.ts'),
  schema: () => import('./config-schema.ts'),
  migrate: () => import('./config-migrate.ts'),
  policy: () => import('./config-policy.ts'),
};

/** @returns the exit code */
export const run = async ([action = '', ...rest]: readonly string[]): Promise<number> => {
  const load = Object.hasOwn(ACTIONS, action) ? ACTIONS[action] : undefined;
  if (load !== undefined && !rest.includes('--help') && !rest.includes('-h')) return (await load()).run(rest);
  if (load !== undefined || action === '--help' || action === '-h' || action === '') {
    process.stdout.write(HELP);
    return action === '' ? 2 : 0;
  }
  throw new AppError('INVALID_ARGUMENT', `config needs one of: ${Object.keys(ACTIONS).join(', ')}. See config --help.`, {
    details: { nearest: nearestNames(action, Object.keys(ACTIONS)) },
  });
};
