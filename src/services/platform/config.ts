// Configuration of the platform service: it joins the others and needs nothing of its own.

import { z } from 'zod';

export const platformConfig = z.strictObject({
  enabled: z.boolean().default(true).meta({ env: 'MCP_PLATFORM_ENABLED', description: 'Joint tools over all services.' }),
});

export type PlatformConfig = z.infer<typeof platformConfig>;
