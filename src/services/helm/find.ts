// Is there a cluster with releases, and a Helm binary? Decided at start from files alone; nothing is run.

import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, isAbsolute, join } from 'node:path';
import type { KubernetesConfig } from '../../upstream/kubernetes/config.ts';
import { findKubernetes } from '../../upstream/kubernetes/find.ts';
import type { HelmConfig } from './config.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** Stands in lists for tools that need it, and in the words of a refusal. */
export const HELM_BINARY = 'the Helm binary (helm.binary, or helm on the PATH)';

const isProgram = (file: string): boolean => {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
};

/** Absolute path of the program; undefined = there is none. A relative entry of the PATH could be anybody's. */
export const findBinary = ({ binary }: Pick<HelmConfig, 'binary'>, env: Environment): string | undefined => {
  if (binary?.includes('/') === true) return isProgram(binary) ? binary : undefined;
  return (env['PATH'] ?? '')
    .split(delimiter)
    .filter(isAbsolute)
    .map((folder) => join(folder, binary ?? 'helm'))
    .find(isProgram);
};

export const findHelm = (
  config: HelmConfig,
  env: Environment,
  sections: Readonly<Record<string, unknown>>,
): { configured: boolean; clusters: number; capabilities: readonly string[] } => {
  const kubernetes = sections['kubernetes'] as KubernetesConfig;
  const own = config.kubeconfigPath === undefined ? {} : { kubeconfig: config.kubeconfigPath };
  const enabled = config.enabled ?? (config.kubeconfigPath === undefined ? kubernetes.enabled : undefined);
  const { configured, clusters } = findKubernetes({ ...kubernetes, ...own, enabled }, env);
  return { configured, clusters, capabilities: configured && findBinary(config, env) !== undefined ? [HELM_BINARY] : [] };
};
