// What a planned change of a release is: plain data that `apply` carries out.

import type { StorageKind } from '../storage/revisions.ts';

export interface Address {
  readonly cluster: string;
  readonly namespace: string;
  readonly name: string;
}

interface Common extends Address {
  /** The newest revision that the plan saw; undefined = there was none. */
  readonly before: number | undefined;
  /** The revision that an undo goes back to; undefined = there is no way back. */
  readonly undoTo: number | undefined;
  /** Where its records are. */
  readonly storage: StorageKind | undefined;
  /** Set when the change begins: what is left of the time to wait counts from there. */
  startedAt?: number;
}

export interface DeployState extends Common {
  readonly action: 'deploy';
  /** The archive that was planned with, byte for byte. */
  readonly archive: Buffer;
  readonly values: Readonly<Record<string, unknown>>;
  readonly reuseValues: boolean;
  readonly createNamespace: boolean;
  readonly atomic: boolean;
}

export interface RollbackState extends Common {
  readonly action: 'rollback';
  readonly to: number;
}

export interface UninstallState extends Common {
  readonly action: 'uninstall';
  readonly keepHistory: boolean;
}

export type HelmState = DeployState | RollbackState | UninstallState;

/** What the inverse needs: a revision to roll back to. */
export interface HelmUndo extends Address {
  readonly revision: number;
}

/** Every change tool accepts it; the schema adds it outside of the tool's own input. */
export const clusterOf = (args: object): string | undefined => (args as { cluster?: string }).cluster;

export const releaseRef = ({ cluster, namespace, name }: Address): string => `helm://${cluster}/${namespace}/${name}`;
