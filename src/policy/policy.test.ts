import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Caller } from '../kit/context.ts';
import { createLogger } from '../logging/logger.ts';
import { type PolicySource, policySchema } from './config.ts';
import { openPolicy } from './open.ts';
import { createPolicy, matchesCommand, type Use } from './policy.ts';

const all: Caller = { id: 'apikey:ops', groups: ['sre'], scopes: ['all'] };
const other: Caller = { id: 'oidc:anna', groups: [], scopes: ['read', 'write'] };
const read: Use = { tool: 'kubernetes_list_resources', service: 'kubernetes', effect: 'read' };
const scale: Use = { tool: 'kubernetes_scale_workload', service: 'kubernetes', effect: 'write' };
const remove: Use = { tool: 'kubernetes_delete_resource', service: 'kubernetes', effect: 'delete' };
const pods = ['pods', 'Pod', 'pods'];
const make = (source: Partial<PolicySource>) => createPolicy(policySchema.parse(source));

describe('a policy', () => {
  it('allows reads and denies changes unless a rule allows them', () => {
    const policy = make({});
    expect(policy.mayUse(all, read).allowed).toBe(true);
    expect(policy.mayUse(all, scale)).toEqual({ allowed: false, rule: 'no rule allows it; changes are denied unless one does' });
  });

  it('lets the first matching rule decide, and names it', () => {
    const policy = make({
      rules: [
        { name: 'freeze', action: 'deny', effect: ['write', 'delete'], cluster: 'prod-*' },
        { name: 'operators', action: 'allow', group: 'sre', effect: ['write', 'delete'] },
      ],
    });
    const on = (cluster: string) => policy.decide(all, scale, { cluster, namespace: 'shop', kind: ['deployments'], change: true });
    expect(on('prod-1')).toEqual({ allowed: false, rule: 'freeze' });
    expect(on('dev')).toEqual({ allowed: true, rule: 'operators' });
    expect(policy.decide(other, scale, { cluster: 'dev', change: true }).allowed).toBe(false);
  });

  it('offers a tool that some target may be allowed to, and no other', () => {
    const policy = make({ rules: [{ action: 'allow', effect: 'write', namespace: 'shop' }] });
    expect(policy.mayUse(all, scale)).toEqual({ allowed: true, rule: 'rules[0]' });
    expect(policy.mayUse(all, remove).allowed).toBe(false);
  });

  it('takes all namespaces at once for wider than an allowed one, and as touching a denied one', () => {
    const narrow = make({
      rules: [
        { action: 'allow', namespace: 'shop' },
        { action: 'deny', effect: 'read' },
      ],
    });
    expect(narrow.decide(all, read, { namespace: 'shop', kind: pods, change: false }).allowed).toBe(true);
    expect(narrow.decide(all, read, { kind: pods, change: false }).allowed).toBe(false);
    const broad = make({ rules: [{ action: 'deny', namespace: 'kube-*' }] });
    expect(broad.decide(all, read, { kind: pods, change: false }).allowed).toBe(false);
    expect(broad.decide(all, read, { namespace: 'shop', kind: pods, change: false }).allowed).toBe(true);
    expect(broad.decide(all, read, { namespaced: false, kind: ['nodes'], change: false }).allowed).toBe(true);
  });

  it('knows a kind by each of its names, and a subresource as part of its kind', () => {
    const deployments = ['deployments', 'Deployment', 'deployments.apps'];
    for (const kind of ['deployment', 'Deployments', 'deployments.apps']) {
      expect(make({ rules: [{ action: 'deny', kind }] }).decide(all, read, { kind: deployments, change: false }).allowed).toBe(false);
    }
    const log = ['pods/log', 'Pod/log', 'pods/log'];
    expect(make({ rules: [{ action: 'deny', kind: 'pods' }] }).decide(all, read, { kind: log, change: false }).allowed).toBe(false);
    expect(make({ rules: [{ action: 'deny', kind: 'pods/log' }] }).decide(all, read, { kind: pods, change: false }).allowed).toBe(true);
  });

  it('counts the reads of a change as reads', () => {
    const policy = make({ rules: [{ action: 'allow', effect: 'write', namespace: 'shop' }] });
    expect(policy.decide(all, scale, { namespace: 'other', kind: pods, change: false }).allowed).toBe(true);
    expect(policy.decide(all, scale, { namespace: 'other', kind: pods, change: true }).allowed).toBe(false);
  });

  it('keeps commands in containers and the deletion of namespaces, volumes, nodes and definitions off where no rule names them', () => {
    const use: Use = { tool: 'kubernetes_exec_pod', service: 'kubernetes', effect: 'delete' };
    const command = { namespace: 'shop', kind: ['pods/exec', 'Pod/exec'], command: ['ls', '/tmp'], change: true };
    const node = { namespaced: false, kind: ['nodes', 'Node'], change: true, deletes: true };
    for (const policy of [createPolicy(undefined), make({ rules: [{ action: 'allow' }] })]) {
      expect(policy.decide(all, use, command)).toMatchObject({ allowed: false, rule: expect.stringContaining('commands in containers') });
      expect(policy.decide(all, remove, node)).toMatchObject({ allowed: false, rule: expect.stringContaining('a rule of their own') });
      // To cordon a node is not to delete it.
      expect(policy.decide(all, remove, { ...node, deletes: false }).allowed).toBe(true);
      expect(policy.decide(all, remove, { namespace: 'shop', kind: pods, change: true, deletes: true }).allowed).toBe(true);
      expect(policy.allowsCommands).toBe(false);
    }
    const named = make({
      rules: [
        { action: 'allow', command: 'ls **', namespace: 'shop' },
        { action: 'allow', kind: 'nodes' },
      ],
    });
    expect(named.allowsCommands).toBe(true);
    expect(named.decide(all, use, command).allowed).toBe(true);
    expect(named.decide(all, use, { ...command, command: ['rm', '-rf', '/'] }).allowed).toBe(false);
    expect(named.decide(all, use, { ...command, namespace: 'data' }).allowed).toBe(false);
    expect(named.decide(all, remove, node).allowed).toBe(true);
  });

  it('opens parts that give more than their object only to rules that name the part', () => {
    const patch: Use = { tool: 'kubernetes_patch_resource', service: 'kubernetes', effect: 'write' };
    const part = { namespace: 'shop', kind: ['pods/ephemeralcontainers', 'Pod/ephemeralcontainers'], change: true };
    const approval = {
      namespaced: false,
      change: true,
      kind: ['certificatesigningrequests/approval', 'certificatesigningrequests.certificates.k8s.io/approval'],
    };
    for (const policy of [createPolicy(undefined), make({ rules: [{ action: 'allow', kind: ['pods', '*'] }] })]) {
      expect(policy.decide(all, patch, part)).toMatchObject({ allowed: false, rule: expect.stringContaining('pods/ephemeralcontainers') });
      expect(policy.decide(all, patch, approval)).toMatchObject({ allowed: false, rule: expect.stringContaining('approved identities') });
      expect(policy.decide(all, patch, { ...part, change: false }).allowed).toBe(true);
      expect(policy.decide(all, patch, { ...part, kind: pods }).allowed).toBe(true);
    }
    const named = make({ rules: [{ action: 'allow', kind: 'pods/ephemeralcontainers', namespace: 'shop' }] });
    expect(named.decide(all, patch, part).allowed).toBe(true);
    expect(named.decide(all, patch, { ...part, namespace: 'data' }).allowed).toBe(false);
    expect(named.decide(all, patch, approval).allowed).toBe(false);
  });

  it('puts scopes above all rules', () => {
    const policy = make({ rules: [{ action: 'allow' }] });
    expect(policy.mayUse(other, remove)).toEqual({
      allowed: false,
      rule: 'the scope destructive for kubernetes is missing',
      missing: 'destructive',
    });
    expect(policy.mayUse({ ...other, scopes: ['destructive:kubernetes'] }, remove).allowed).toBe(true);
    expect(policy.mayUse({ ...other, scopes: ['destructive:helm'] }, remove).allowed).toBe(false);
  });

  it('gives roles to those who are bound to them', () => {
    const policy = make({
      roles: { operator: [{ action: 'allow', effect: 'write', namespace: 'shop' }] },
      bindings: [{ role: 'operator', principal: 'oidc:*' }],
    });
    expect(policy.mayUse(other, scale)).toEqual({ allowed: true, rule: 'operator[0]' });
    expect(policy.mayUse(all, scale).allowed).toBe(false);
    expect(policy.rulesFor(other)).toHaveLength(1);
    expect(() => make({ bindings: [{ role: 'operater', principal: 'x' }], roles: { operator: [] } })).toThrow(/there is no role operater/);
    expect(() => make({ bindings: [{ role: 'operator' }], roles: { operator: [] } })).toThrow(/name a principal or a group/);
    expect(() => make({ bindings: [{ role: 'constructor', principal: 'x' }] })).toThrow(/there is no role constructor/);
  });

  it.each([
    ['ls *', ['ls', '-la'], true],
    ['ls *', ['ls', '-la', '/root'], false],
    ['ls *', ['ls'], false],
    ['ls **', ['ls', '-la', '/root'], true],
    ['cat /etc/*', ['cat', '/etc/hosts /root/key'], true],
    ['cat /etc/*', ['cat', '/etc/hosts', '/root/key'], false],
    ['ls', ['sh', '-c', 'ls'], false],
  ])('matches the command %s word by word: %j %s', (pattern, command, expected) => {
    expect(matchesCommand(pattern, command)).toBe(expected);
  });
});

describe('a policy file', () => {
  it('is read again when it changes; one that turns invalid changes nothing', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'policy-'));
    const policyFile = join(folder, 'policy.yaml');
    await writeFile(policyFile, 'rules: [{ action: allow, effect: write }]\n');
    const lines: string[] = [];
    const logger = createLogger({ level: 'info', json: true, mask: (text) => text, write: (line) => lines.push(line) });
    let changed: () => void = () => {};
    const holder = await openPolicy({ policyFile, logger, onChange: () => changed() });
    try {
      expect(holder.current().mayUse(all, scale).allowed).toBe(true);
      const reloaded = new Promise<void>((resolve) => {
        changed = resolve;
      });
      await writeFile(policyFile, 'rules: [{ action: denny }]\n');
      await expect.poll(() => lines.join('')).toMatch(/not valid/);
      expect(holder.current().mayUse(all, scale).allowed).toBe(true);
      await writeFile(policyFile, 'rules: [{ action: deny }]\n');
      await reloaded;
      expect(holder.current().mayUse(all, read)).toEqual({ allowed: false, rule: 'rules[0]' });
    } finally {
      holder.close();
      await rm(folder, { recursive: true });
    }
  });

  it('stops the start when it cannot be read or understood, or stands beside a policy', async () => {
    const logger = createLogger({ level: 'error', json: true, mask: (text) => text });
    const open = (options: object) => openPolicy({ logger, onChange: () => {}, ...options });
    await expect(open({ policyFile: '/nowhere/policy.yaml' })).rejects.toThrow(/cannot be read/);
    await expect(open({ policyFile: '/etc/hostname' })).rejects.toThrow(/is not valid/);
    await expect(open({ policyFile: '/x', policy: policySchema.parse({}) })).rejects.toThrow(/keep one of them/);
  });
});
