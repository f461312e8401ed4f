// For tests: secrets that are made, changed, quarrelled over, taken back and deleted through the change tools, over any transport.

import { expect } from 'vitest';
import type { EmbeddedKubernetes } from '../../src/embedded/kubernetes/index.ts';
import { callTool } from './audit.ts';
import { type Outcome, plant, plantPlain } from './canary.ts';

type Fields = Readonly<Record<string, unknown>>;
/** Calls a tool; gives its structured answer. Whatever comes back is for the caller to keep and search. */
export type Ask = (tool: string, args: Fields) => Promise<Fields>;

export const plantChanges = () => ({
  first: plant('first'),
  patched: plant('patched'),
  behind: plantPlain('behind'),
  bare: plantPlain('bare'),
  template: plantPlain('template'),
  split: plantPlain('split-over-two-lines'),
});
export type Planted = ReturnType<typeof plantChanges>;

/** Commands run where a rule names them. */
export const POLICY = 'security: { policy: { rules: [{ action: allow, command: "**" }, { action: allow }] } }\n';
const NAMESPACE = 'shop';
const SECRET = { kind: 'secret', name: 'canary-changes', namespace: NAMESPACE };
const base64 = (text: string): string => Buffer.from(text).toString('base64');

const manifestOf = (stringData: Fields): string =>
  JSON.stringify({ apiVersion: 'v1', kind: 'Secret', metadata: { name: SECRET.name, namespace: NAMESPACE }, stringData });

/** Asks a running server over plain HTTP, and keeps what it answers. */
export const askOver =
  (url: string, outcomes: Outcome[]): Ask =>
  async (tool, args) => {
    const result = await callTool(url, tool, args);
    outcomes.push({ where: `${tool} ${outcomes.length}`, text: JSON.stringify(result) });
    return result.structuredContent;
  };

/** Both parts of the value that is split over two lines count by themselves. */
export const withHalves = (planted: Planted): Readonly<Record<string, string>> => ({
  ...planted,
  firstHalf: planted.split.slice(0, 22),
  secondHalf: planted.split.slice(22),
});

const change = async (ask: Ask, tool: string, args: Fields): Promise<Fields> => {
  const planned = await ask(tool, args);
  expect([tool, planned['phase'] ?? planned]).toEqual([tool, 'plan']);
  const applied = await ask(tool, { ...args, apply: planned['plan'] });
  expect([tool, applied['phase'] ?? applied]).toEqual([tool, 'applied']);
  return applied;
};

/** Somebody else writes the object meanwhile. */
const writeBehind = async (embedded: EmbeddedKubernetes, data: Fields): Promise<void> => {
  const headers = { authorization: `Bearer ${embedded.token('admin')}`, 'content-type': 'application/merge-patch+json' };
  const path = `http://api/api/v1/namespaces/${NAMESPACE}/secrets/${SECRET.name}`;
  const { status } = await embedded.handle(new Request(path, { method: 'PATCH', headers, body: JSON.stringify({ data }) }));
  expect(status).toBe(200);
};

/** Every change tool, every phase, every end: plan, apply, CONFLICT, undo, delete, undo of the deletion, commands. */
export const changeSecrets = async (ask: Ask, embedded: EmbeddedKubernetes, planted: Planted): Promise<void> => {
  await change(ask, 'kubernetes_apply_manifest', { manifest: manifestOf({ password: planted.first, split: planted.split }) });
  const patch = { ...SECRET, patch: { data: { password: base64(planted.patched) } } };
  const { changeId } = await change(ask, 'kubernetes_patch_resource', patch);

  // A plan that the world has overtaken: the new diff speaks of the value that somebody else wrote.
  const late = { ...SECRET, patch: { stringData: { password: planted.bare } } };
  const { plan } = await ask('kubernetes_patch_resource', late);
  await writeBehind(embedded, { password: base64(planted.behind) });
  expect(await ask('kubernetes_patch_resource', { ...late, apply: plan })).toMatchObject({ error: { code: 'CONFLICT' } });
  expect(await ask('platform_undo_change', { changeId })).toBeDefined();
  await change(ask, 'kubernetes_patch_resource', patch);

  const deployment = { kind: 'deployment', namespace: NAMESPACE, name: 'web' };
  const template = { spec: { template: { metadata: { annotations: { note: `https://u:${planted.template}@db/` } } } } };
  await ask('kubernetes_patch_resource', { ...deployment, patch: template });
  const copy = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'canary-copy', namespace: NAMESPACE } };
  const made = await change(ask, 'kubernetes_apply_manifest', {
    manifest: JSON.stringify({ ...copy, data: { text: `password=${planted.patched}`, again: base64(planted.first), old: planted.behind } }),
  });
  const { plan: back } = await ask('platform_undo_change', { changeId: made['changeId'] });
  if (back !== undefined) await ask('platform_undo_change', { changeId: made['changeId'], apply: back });

  const removed = await change(ask, 'kubernetes_delete_resource', SECRET);
  await change(ask, 'platform_undo_change', { changeId: removed['changeId'] });
  await ask('kubernetes_apply_manifest', { manifest: `${manifestOf({ password: planted.bare })}\n: broken` });

  const { names } = await ask('kubernetes_list_resources', { kind: 'pods', namespace: NAMESPACE, view: 'names', labelSelector: 'app=web' });
  const pod = (names as readonly string[])[0];
  for (const command of [
    ['echo', planted.patched],
    ['printf', `${planted.split.slice(0, 22)}\n${planted.split.slice(22)}\n`],
    ['printf', base64(planted.first)],
    ['cat', `/no/such/${planted.bare}`],
  ]) {
    const args = { name: pod, namespace: NAMESPACE, command };
    const { plan: run } = await ask('kubernetes_exec_pod', args);
    const ran = await ask('kubernetes_exec_pod', { ...args, apply: run });
    expect(JSON.stringify(ran)).not.toContain('"FORBIDDEN"');
  }
  // What was deleted and put back reads as before.
  for (const view of ['full', 'yaml']) await ask('kubernetes_get_resource', { ...SECRET, view });
};
