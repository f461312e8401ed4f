// The policy in force: from the configuration or from a file, read again when the file changes.

import { readFile } from 'node:fs/promises';
import type { Logger } from '../kit/context.ts';
import { AppError } from '../kit/errors.ts';
import { watchFile } from '../kit/watch-file.ts';
import { parseYaml } from '../kit/yaml.ts';
import type { PolicySource } from './config.ts';
import { createPolicy, type Policy } from './policy.ts';

export interface PolicyHolder {
  /** Another object after every reload. */
  current(): Policy;
  /** Checks another policy of the configuration, and gives what puts it into force. Throws INVALID_ARGUMENT. */
  prepare(policy: PolicySource | undefined): () => void;
  close(): void;
}

export interface PolicyOptions {
  readonly policy?: PolicySource | undefined;
  readonly policyFile?: string | undefined;
  readonly logger: Logger;
  readonly onChange: () => void;
}

const parsePolicy = async (text: string, file: string): Promise<Policy> => {
  const { policySchema } = await import('./config.ts');
  const refuse = (why: string, cause?: unknown): AppError =>
    new AppError('INVALID_ARGUMENT', `The policy file ${file} is not valid: ${why}`, { details: { key: 'security.policyFile' }, cause });
  const tree = await parseYaml(text).catch((cause: Error) => {
    throw refuse(cause.message, cause);
  });
  const parsed = policySchema.safeParse(tree ?? {});
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw refuse(`${issue?.path.map(String).join('.') ?? ''}: ${issue?.message ?? ''}`);
  }
  return createPolicy(parsed.data);
};

/** Reads a policy file once. Throws INVALID_ARGUMENT when it cannot be read or understood. */
export const readPolicyFile = async (file: string): Promise<{ policy: Policy; text: string }> => {
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new AppError('INVALID_ARGUMENT', `The policy file ${file} cannot be read.`, { details: { key: 'security.policyFile' }, cause });
  });
  return { policy: await parsePolicy(text, file), text };
};

/** A file that turns invalid while the server runs changes nothing: the policy before stays in force, and the log says so. */
export const openPolicy = async ({ policy, policyFile, logger, onChange }: PolicyOptions): Promise<PolicyHolder> => {
  if (policyFile === undefined) {
    let current = createPolicy(policy);
    return {
      current: () => current,
      prepare(next) {
        const made = createPolicy(next);
        return () => {
          current = made;
          onChange();
        };
      },
      close: () => {},
    };
  }
  const refuseBoth = (): AppError =>
    new AppError('INVALID_ARGUMENT', 'Configuration security.policyFile: a policy stands in security.policy already; keep one of them.', {
      details: { key: 'security.policyFile' },
    });
  if (policy !== undefined) throw refuseBoth();
  const first = await readPolicyFile(policyFile);
  let current = first.policy;
  const stop = watchFile(policyFile, first.text, (text) => {
    parsePolicy(text, policyFile).then(
      (next) => {
        current = next;
        logger.info({ file: policyFile }, 'the policy has changed');
        onChange();
      },
      (thrown: unknown) =>
        logger.error(
          { reason: thrown instanceof Error ? thrown.message : '' },
          'the policy file is not valid; the policy before stays in force',
        ),
    );
  });
  return {
    current: () => current,
    prepare(next) {
      if (next !== undefined) throw refuseBoth();
      return () => {};
    },
    close: stop,
  };
};
