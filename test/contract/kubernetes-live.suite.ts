// What runs: logs, crashes, usage, proxies. The same cases on the shop of the embedded API server and on real containers of a real node.

import { countTokens } from 'gpt-tokenizer/encoding/o200k_base';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openApp, type Shop } from '../support/shop.ts';

export interface LiveTarget {
  readonly kubeconfig: string;
  readonly namespace: string;
  /** A Deployment of which a pod crashes again and again, and a word that its last run wrote. */
  readonly crashing: { readonly deployment: string; readonly pod: string; readonly container: string; readonly word: string };
  /** A Service that answers, its port and path, and a word of its answer. */
  readonly service: { readonly name: string; readonly port: string; readonly path: string; readonly word: string };
  readonly node: string;
  close(): Promise<void>;
}

export const kubernetesLiveSuite = (name: string, open: () => Promise<LiveTarget>): void => {
  describe(`running workloads on ${name}`, () => {
    let target: LiveTarget;
    let server: Omit<Shop, 'embedded'>;
    beforeAll(async () => {
      target = await open();
      server = await openApp({ 'kubernetes.kubeconfig': target.kubeconfig });
    });
    afterAll(async () => {
      await server?.close();
      await target?.close();
    });
    const inSpace = (args: Readonly<Record<string, unknown>>): Record<string, unknown> => ({ namespace: target.namespace, ...args });

    it('lists a crashing pod as kubectl does, never as Running', async () => {
      const { structured } = await server.call('kubernetes_list_resources', inSpace({ kind: 'pods', name: target.crashing.pod }));
      expect((structured['rows'] as string[][])[0]?.[2]).toMatch(/^(CrashLoopBackOff|Error)$/);
    });

    it('reads the log of the last run of a crashing container by itself', async () => {
      const { structured, text } = await server.call('kubernetes_get_logs', inSpace({ name: target.crashing.pod }));
      expect(structured['streams']).toMatchObject([{ pod: target.crashing.pod, container: target.crashing.container }]);
      expect(text).toContain(target.crashing.word);
      expect(structured['untrusted']).toBe(true);
    });

    it('finds lines over all pods of a workload, with what stands around them', async () => {
      const plain = await server.call(
        'kubernetes_get_logs',
        inSpace({ name: `deployment/${target.crashing.deployment}`, grep: target.crashing.word, limit: 5 }),
      );
      expect(JSON.stringify(plain.structured['rows'])).toContain(target.crashing.word);
      const none = await server.call('kubernetes_get_logs', inSpace({ name: target.crashing.pod, grep: 'xyzzy-never' }));
      expect(none.structured).toMatchObject({ empty: { reason: 'no_match' } });
      const patterns = await server.call('kubernetes_get_logs', inSpace({ name: target.crashing.pod, view: 'patterns' }));
      expect((patterns.structured['patterns'] as { count: number }[])[0]?.count).toBeGreaterThan(0);
    });

    it('refuses what cannot be read, with the way out', async () => {
      await expect(server.call('kubernetes_get_logs', inSpace({ name: target.crashing.pod, container: 'nope' }))).rejects.toMatchObject({
        code: 'INVALID_ARGUMENT',
        details: { choices: expect.arrayContaining([target.crashing.container]) },
      });
      await expect(server.call('kubernetes_get_logs', inSpace({ name: `${target.crashing.pod.slice(0, -1)}` }))).rejects.toMatchObject({
        code: 'NOT_FOUND',
        details: { nearest: expect.arrayContaining([target.crashing.pod]) },
      });
      await expect(server.call('kubernetes_get_logs', inSpace({ name: target.crashing.pod, grep: '(' }))).rejects.toMatchObject({
        code: 'INVALID_ARGUMENT',
      });
    });

    it('describes the pod with its events and what owns it, and one pod costs at most 700 tokens', async () => {
      const described = await server.call('kubernetes_get_resource', inSpace({ kind: 'pod', name: target.crashing.pod, view: 'describe' }));
      expect(described.text).toContain('BackOff');
      expect(described.structured['ownerChain']).toEqual([
        expect.stringContaining('ReplicaSet/'),
        `Deployment/${target.crashing.deployment}`,
      ]);
      const { text, structured } = await server.call('kubernetes_get_resource', inSpace({ kind: 'pod', name: target.crashing.pod }));
      expect(Math.max(countTokens(text), countTokens(JSON.stringify(structured)))).toBeLessThanOrEqual(700);
    });

    it('names the crash as a problem of its owner', async () => {
      const { structured } = await server.call('kubernetes_find_problems', inSpace({}));
      const problems = structured['problems'] as { ref: string; reason: string; severity: string }[];
      expect(problems.filter(({ ref }) => ref.endsWith(`deployment/${target.crashing.deployment}`))).toMatchObject([
        { severity: 'critical', reason: expect.stringMatching(/CrashLoopBackOff|Error/) },
      ]);
    });

    it('groups the events of the crash', async () => {
      const { structured } = await server.call('kubernetes_list_events', inSpace({}));
      expect((structured['groups'] as { reason: string }[]).map(({ reason }) => reason)).toContain('BackOff');
    });

    it('shows usage of pods and nodes within its tokens', async () => {
      const pods = await server.call('kubernetes_get_usage', inSpace({ sortBy: 'name' }));
      expect(['metrics-api', 'kubelet']).toContain(pods.structured['source']);
      expect((pods.structured['rows'] as string[][]).length).toBeGreaterThan(0);
      const nodes = await server.call('kubernetes_get_usage', { scope: 'node' });
      const row = (nodes.structured['rows'] as string[][]).find(([node]) => node === target.node);
      expect(row?.[5]).toMatch(/^\d+(\.\d+)?[KMG]i$/);
      expect(Math.max(countTokens(nodes.text), countTokens(JSON.stringify(nodes.structured)))).toBeLessThanOrEqual(1000);
      const capacity = await server.call('kubernetes_get_usage', { view: 'capacity' });
      expect(JSON.stringify(capacity.structured['rows'])).toContain(target.node);
    });

    it('reaches a port of a service through the API server', async () => {
      const { name: service, port, path, word } = target.service;
      const { structured } = await server.call('kubernetes_proxy_request', inSpace({ name: `service/${service}`, port, path }));
      expect(structured).toMatchObject({ status: 200, untrusted: true });
      expect(String(structured['body'])).toContain(word);
      await expect(server.call('kubernetes_proxy_request', inSpace({ name: service, port }))).rejects.toMatchObject({
        code: 'INVALID_ARGUMENT',
      });
    });

    it('explains whether traffic reaches it', async () => {
      const { structured } = await server.call('kubernetes_check_network', inSpace({ to: `service/${target.service.name}` }));
      expect(structured['verdict']).toBe('reachable');
    });

    it('reads the log of a node service', async () => {
      const { structured } = await server.call('kubernetes_get_logs', { name: `node/${target.node}:kubelet`, limit: 5 });
      expect((structured['rows'] as string[][]).length).toBeGreaterThan(0);
    });
  });
};
