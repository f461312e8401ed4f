// Planted faults: each must come out as one problem that names the object, the field, its value and the call that shows more.

import { countTokens } from 'gpt-tokenizer/encoding/o200k_base';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { toWords } from '../../src/services/kubernetes/problems/place.ts';
import { openApp, type Shop } from '../support/shop.ts';
import type { PlantedFault } from './faults/fault.ts';
import { HEALTHY, plantHealthy } from './faults/healthy.ts';
import { FAULTS, namespaceOf, plantAll, surroundings } from './faults/index.ts';
import { NETWORK_FAULTS, plantNetwork } from './faults/network.ts';
import type { Planted } from './faults/objects.ts';

/** A whole answer about one fault. */
const MAX_TOKENS = 450;

export interface FaultTarget {
  readonly kubeconfig: string;
  close(): Promise<void>;
}

export interface Item {
  readonly severity: string;
  readonly ref: string;
  readonly reason: string;
  readonly detail: string;
  readonly check: string;
  readonly field: string;
  readonly value: string;
  readonly of?: string;
  readonly evidence?: readonly string[];
  readonly next: { readonly tool: string; readonly arguments: Readonly<Record<string, unknown>> };
}

type Server = Omit<Shop, 'embedded'>;

/** What find_problems says about one fault: all of it, or of a kind without namespaces what its object got. */
export const askAbout = async (server: Server, fault: PlantedFault, namespace: string) => {
  const args = fault.kind === undefined ? { namespace } : { kind: fault.kind, limit: 500, maxTokens: 20_000 };
  const { structured, text } = await server.call('kubernetes_find_problems', args);
  const all = structured['problems'] as Item[];
  const items = fault.kind === undefined ? all : all.filter(({ ref }) => ref === fault.expected.ref);
  const json = fault.kind === undefined ? JSON.stringify(structured) : JSON.stringify(items);
  return { items, tokens: Math.max(fault.kind === undefined ? countTokens(text) : 0, countTokens(json)) };
};

export const check = ({ items }: { items: readonly Item[] }, { expected }: PlantedFault): Item => {
  expect(items.map(({ severity, ref, reason }) => `${severity} ${ref} ${reason}`)).toEqual([
    `${expected.severity} ${expected.ref} ${expected.reason}`,
  ]);
  const [item] = items;
  if (item === undefined) throw new Error('nothing was found');
  expect({ check: item.check, field: item.field, next: item.next.tool }).toEqual({
    check: expected.check,
    field: expected.field,
    next: expected.next,
  });
  expect(item.value).toEqual(typeof expected.value === 'string' ? expected.value : expect.stringMatching(expected.value));
  if (expected.detail !== undefined) expect(item.detail).toMatch(expected.detail);
  if (expected.evidence !== undefined) expect((item.evidence ?? []).join('\n')).toMatch(expected.evidence);
  return item;
};

/** The field is really there, and has the value: read with the tool that reads fields. Secrets show no data. */
export const checkField = async (server: Server, item: Item, namespace: string): Promise<void> => {
  const [kind = '', ...name] = (item.of ?? item.ref).split('/');
  if (kind === 'secret' || item.field.includes('last-applied')) return;
  const answer = await server.call('kubernetes_get_resource', { kind, name: name.join('/'), namespace, fields: [item.field] });
  const value = (answer.structured['fields'] as Readonly<Record<string, unknown>>)[item.field];
  expect(toWords(value)).toBe(item.value);
};

export const faultsSuite = (name: string, open: (objects: readonly Planted[]) => Promise<FaultTarget>): void => {
  describe(`planted faults on ${name} (SEED-SVC-KUBERNETES)`, () => {
    let target: FaultTarget;
    let server: Server;
    beforeAll(async () => {
      target = await open([...surroundings(), ...plantAll(), ...plantHealthy(), ...plantNetwork()]);
      // A hundred scans in a row: the cases must not wait for each other's requests.
      server = await openApp({ 'kubernetes.kubeconfig': target.kubeconfig, 'kubernetes.qps': 5000, 'kubernetes.burst': 5000 });
    });
    afterAll(async () => {
      await server?.close();
      await target?.close();
    });

    it.each(FAULTS)('$name', async (fault) => {
      const namespace = namespaceOf(fault);
      const answer = await askAbout(server, fault, namespace);
      const item = check(answer, fault);
      if (fault.expected.of !== undefined) expect(item.of).toBe(fault.expected.of);
      expect(answer.tokens).toBeLessThanOrEqual(MAX_TOKENS);
      await checkField(server, item, namespace);
      // The call that shows more can be made as it stands.
      if (item.next.tool !== 'kubernetes_get_logs') await server.call(item.next.tool, item.next.arguments);
    });

    it.each(NETWORK_FAULTS)('on the way: $name', async ({ to, from, namespace, hop, detail, fix }) => {
      const { structured, text } = await server.call('kubernetes_check_network', {
        to,
        namespace,
        ...(from === undefined ? {} : { from }),
      });
      expect(structured['verdict']).toBe('blocked');
      const path = structured['path'] as { hop: string; result: string; detail: string; ref?: string }[];
      const stop = path.find(({ result }) => result === 'fail');
      expect(stop).toMatchObject({ hop: expect.stringMatching(hop), detail: expect.stringMatching(detail) });
      expect(stop?.ref).toBeDefined();
      if (fix !== undefined) expect((structured['fixes'] as string[]).join('\n')).toMatch(fix);
      expect(Math.max(countTokens(text), countTokens(JSON.stringify(structured)))).toBeLessThanOrEqual(700);
    });

    it.each(HEALTHY)('finds nothing in $name', async ({ namespace, isInfo }) => {
      const { structured } = await server.call('kubernetes_find_problems', { namespace });
      const problems = (structured['problems'] as Item[]).filter(({ severity }) => isInfo !== true || severity !== 'info');
      expect(problems).toEqual([]);
    });
  });
};
