// How a room declares its configuration keys: a schema, the environment variable, and words for the reference.

import { z } from 'zod';

/** `.meta()` would copy the schema: with hundreds of keys, a start that only lists tools would pay for all the copies. */
const note = <Schema extends z.ZodType>(schema: Schema, meta: z.core.GlobalMeta): Schema => {
  z.globalRegistry.add(schema, meta);
  return schema;
};

/** A key with its environment variable and its description. The schema must be its own, not one that another key uses too. */
export const described = <Schema extends z.ZodType>(schema: Schema, env: string, description: string): Schema =>
  note(schema, { env, description });

/** A group of keys; an absent group has all its defaults. */
export const section = <Shape extends z.core.$ZodLooseShape>(shape: Shape) => z.strictObject(shape).prefault({} as never);

/** Where to listen: `host:port`, `[::1]:port`, or `:port` for all interfaces. */
export const address = z
  .string()
  .regex(/^(\[[0-9a-fA-F:]+\]|[^\s:/]*):\d{1,5}$/, 'must be host:port, such as 127.0.0.1:8080')
  .refine((text) => !/:\d+$/.test(text) || Number(text.slice(text.lastIndexOf(':') + 1)) <= 65_535, 'the port must be at most 65535');

/** A key that takes effect while the server runs. */
export const live = <Schema extends z.ZodType>(schema: Schema): Schema => schema.meta({ ...schema.meta(), live: true }) as Schema;

/** A list of names; from the environment it is divided by commas. */
export const names = (env: string, description: string) => described(z.array(z.string().min(1)).default([]), env, description);

/**
 * A secret value, or a reference to one (`file:/path`, `kubernetes:namespace/name/key`, `vault:path#field`).
 * It is masked wherever it reappears and printed by nothing. `<env>_FILE` names a file that holds it.
 */
export const secret = (env: string, description: string) => note(z.string().min(1).optional(), { env, description, secret: true });
