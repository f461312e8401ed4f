// Parameters that many tools share; they read alike everywhere (tools.md section 2).

import { z } from 'zod';

/** A parameter with its documentation; `sent` is what clients receive as description. */
const described = <Schema extends z.ZodType>(schema: Schema, description: string, sent?: string): Schema =>
  schema.meta({ description, ...(sent === undefined ? {} : { sent }) });

export const cluster = described(
  z.string().min(1).max(253).optional(),
  'A configured environment: a Kubernetes context with the backends that belong to it. Absent = the default one.',
);

export const namespace = described(
  z.string().max(253).optional(),
  'For lists: absent = all the caller may see. For one object: absent = the default namespace of the cluster.',
);

/** Most items in one answer, 1 to 500. */
export const limit = (byDefault: number): z.ZodDefault<z.ZodInt> =>
  described(z.int().min(1).max(500).default(byDefault), 'Most items in this answer; 1 to 500.');

export const cursor = described(z.string().max(4096).optional(), 'page.next of the answer before; all other arguments stay the same.');

export const fields = described(
  z.array(z.string().min(1).max(300)).max(50).optional(),
  'Only these paths: a.b, a[0], a[*].b, a[?k=v].b, a["odd.key"]; a leading $. or {.…} is accepted.',
);

export const since = (byDefault?: string): z.ZodType<string | undefined> =>
  byDefault === undefined
    ? described(
        z.string().max(64).optional(),
        'RFC 3339, Unix seconds or milliseconds, now, now-15m, or a duration back from now (15m, 2h, 7d).',
      )
    : described(
        z.string().max(64).default(byDefault),
        'RFC 3339, Unix seconds or milliseconds, now, now-15m, or a duration back from now (15m, 2h, 7d).',
      );

export const until = described(z.string().max(64).default('now'), 'End of the window, in the forms of since.');

export const sortBy = (byDefault?: string): z.ZodType<string | undefined> =>
  byDefault === undefined
    ? described(z.string().max(200).optional(), 'Key of the rows; "-" first = descending.')
    : described(z.string().max(200).default(byDefault), 'Key of the rows; "-" first = descending.');

export const maxTokens = described(
  z.int().min(200).max(1_000_000).optional(),
  'Ceiling of this answer: default 4,000, at most 20,000, both settings.',
);

export const labelSelector = described(z.string().max(2000).optional(), 'Label selector, such as app=web,tier in (a,b),!canary.');

export const fieldSelector = described(
  z.string().max(2000).optional(),
  'Field selector, such as spec.nodeName=node-1,status.phase=Running.',
);

export const timeout = (byDefault: string): z.ZodDefault<z.ZodString> =>
  described(z.string().max(32).default(byDefault), 'How long to wait, such as 30s, 5m.');

/** Accepted by every tool, sent only when there is a choice. */
export const EVERY_TOOL = { cluster } as const;
/** Accepted by every read tool; sent in the complete form. */
export const EVERY_READ_TOOL = { cluster, maxTokens } as const;
/** Accepted by every write and delete tool; `cursor` and `maxTokens` are seldom needed and never sent. */
export const EVERY_CHANGE_TOOL = {
  cluster,
  maxTokens,
  cursor,
  apply: described(z.string().max(8192).optional(), 'Absent = plan only, nothing changes; the token of a plan = apply exactly that plan.'),
} as const;
