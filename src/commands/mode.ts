// Which door a start opens.

import type { Settings } from '../app.ts';

/** `server.mode` decides; without one, a given address means HTTP. */
export const isHttp = ({ config, given }: Settings): boolean =>
  config.server.mode === undefined ? given.has('server.addr') : config.server.mode !== 'stdio';
