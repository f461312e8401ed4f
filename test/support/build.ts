// Builds the program once before the tests that start it.

import { execFileSync } from 'node:child_process';

export default (): void => {
  execFileSync('rolldown', ['-c', '--logLevel', 'silent'], { stdio: ['ignore', 'ignore', 'inherit'] });
};
