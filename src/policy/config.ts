// The keys of the policy: who may use which tools on what. Also the shape of a policy file.

import { z } from 'zod';
import { described, live } from '../kit/config.ts';

const words = (description: string) =>
  z
    .union([z.string().min(1), z.array(z.string().min(1)).min(1)])
    .optional()
    .meta({ description });

const conditions = {
  service: words('Services, such as kubernetes.'),
  tool: words('Tools, such as kubernetes_scale_workload or helm_*.'),
  effect: z
    .union([z.enum(['read', 'write', 'delete']), z.array(z.enum(['read', 'write', 'delete'])).min(1)])
    .optional()
    .meta({ description: 'read, write or delete.' }),
  cluster: words('Clusters by name, such as prod-*.'),
  namespace: words('Namespaces; kinds without namespaces are not concerned.'),
  kind: words('Kinds as pods, Deployment or deployments.apps; a subresource as pods/exec.'),
  command: words('Commands, word by word: "ls *" allows one argument, "ls **" any number.'),
} as const;

const rule = z.strictObject({
  name: z.string().min(1).max(100).optional().meta({ description: 'Stands in refusals and in the audit.' }),
  action: z.enum(['allow', 'deny']).meta({ description: 'What happens to a call that meets all conditions.' }),
  ...conditions,
});

const subjects = {
  principal: words('Callers by id, such as key:ci or token:default.'),
  group: words('Groups of the verified token.'),
} as const;

export type RuleSource = z.infer<typeof rule> & {
  readonly principal?: string | string[] | undefined;
  readonly group?: string | string[] | undefined;
};

export const policySchema = z.strictObject({
  rules: live(
    z
      .array(rule.extend(subjects))
      .default([])
      .meta({ description: 'For everyone, or for the principals and groups they name. The first that matches decides.' }),
  ),
  roles: live(z.record(z.string().min(1), z.array(rule)).default({}).meta({ description: 'Named lists of rules.' })),
  bindings: live(
    z
      .array(z.strictObject({ role: z.string().min(1), ...subjects }))
      .default([])
      .meta({ description: 'Who has a role; a caller that is named by principal or by group. Looked at after `rules`, in order.' }),
  ),
});

export type PolicySource = z.infer<typeof policySchema>;

/** Keys of the section `security`. */
export const policyKeys = {
  policy: policySchema.optional().meta({
    description: 'Rules by caller, tool, effect, cluster, namespace, kind and command. Without one the switches decide.',
  }),
  policyFile: described(z.string().min(1).optional(), 'MCP_POLICY_FILE', 'The same as a YAML file, read again when it changes.'),
} as const;
