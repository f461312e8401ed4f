// kubernetes_check_access against kubectl auth can-i: the same answer for every subject and question, on a real authorizer.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { KubernetesApi } from '../backends/kubernetes/api.ts';
import { apply, type BedUser, createNamespace, deleteNamespace, kubectl, readBed } from '../backends/kubernetes/bed.ts';
import { openApp, type Shop } from '../support/shop.ts';

const bed = readBed();

type Server = Omit<Shop, 'embedded'>;

interface Question {
  readonly verb: string;
  /** As kubectl takes it. */
  readonly resource: string;
  readonly subresource?: string;
  readonly name?: string;
  /** Absent = the namespace of the test; '' = all. */
  readonly namespace?: string;
}

const QUESTIONS: readonly Question[] = [
  { verb: 'list', resource: 'pods' },
  { verb: 'list', resource: 'pods', namespace: '' },
  { verb: 'get', resource: 'pods', subresource: 'log' },
  { verb: 'create', resource: 'pods', subresource: 'exec' },
  { verb: 'get', resource: 'configmaps', name: 'settings' },
  { verb: 'get', resource: 'configmaps', name: 'others' },
  { verb: 'update', resource: 'configmaps' },
  { verb: 'get', resource: 'secrets' },
  { verb: 'patch', resource: 'deployments.apps' },
  { verb: 'update', resource: 'deployments.apps', subresource: 'scale' },
  { verb: 'deletecollection', resource: 'jobs.batch' },
  { verb: 'watch', resource: 'events' },
  { verb: 'get', resource: 'nodes', namespace: '' },
  { verb: 'create', resource: 'selfsubjectaccessreviews.authorization.k8s.io', namespace: '' },
  { verb: 'impersonate', resource: 'serviceaccounts' },
  { verb: 'escalate', resource: 'clusterroles.rbac.authorization.k8s.io', namespace: '' },
];

/** How kubectl and how our tool name the same subject. */
const SUBJECTS = [
  { subject: 'user:alice', as: ['--as=alice'] },
  { subject: 'user:nobody-at-all', as: ['--as=nobody-at-all'] },
  { subject: 'group:devs', as: ['--as=somebody', '--as-group=devs'] },
  { subject: 'sa:SPACE/robot', as: ['--as=system:serviceaccount:SPACE:robot'] },
  { subject: 'user:system:serviceaccount:SPACE:robot', as: ['--as=system:serviceaccount:SPACE:robot'] },
  { subject: 'sa:SPACE/default', as: ['--as=system:serviceaccount:SPACE:default'] },
] as const;

const USERS = ['admin', 'viewer', 'nobody'] as const satisfies readonly BedUser[];

const rbac = (namespace: string): string => {
  const group = 'rbac.authorization.k8s.io';
  const role = (name: string, rules: readonly object[]) => ({
    apiVersion: `${group}/v1`,
    kind: 'Role',
    metadata: { name, namespace },
    rules,
  });
  const bind = (name: string, roleRef: object, subject: object) => ({
    apiVersion: `${group}/v1`,
    kind: 'RoleBinding',
    metadata: { name, namespace },
    roleRef: { apiGroup: group, ...roleRef },
    subjects: [subject],
  });
  return [
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'robot', namespace } },
    role('reader', [
      { apiGroups: [''], resources: ['pods', 'pods/log'], verbs: ['get', 'list', 'watch'] },
      { apiGroups: [''], resources: ['configmaps'], resourceNames: ['settings'], verbs: ['get', 'update'] },
    ]),
    role('runner', [
      { apiGroups: ['batch'], resources: ['*'], verbs: ['*'] },
      { apiGroups: ['apps'], resources: ['*/scale'], verbs: ['update'] },
      { apiGroups: [''], resources: ['pods/exec'], verbs: ['create'] },
    ]),
    bind('alice-reads', { kind: 'Role', name: 'reader' }, { kind: 'User', name: 'alice', apiGroup: group }),
    bind('devs-edit', { kind: 'ClusterRole', name: 'edit' }, { kind: 'Group', name: 'devs', apiGroup: group }),
    bind('robot-runs', { kind: 'Role', name: 'runner' }, { kind: 'ServiceAccount', name: 'robot', namespace }),
  ]
    .map((one) => stringify(one))
    .join('---\n');
};

const words = ({ verb, resource, subresource, name, namespace }: Question): string =>
  `${verb} ${resource}${subresource === undefined ? '' : `/${subresource}`}${name === undefined ? '' : ` ${name}`}${namespace === '' ? ' everywhere' : ''}`;

describe('parity with kubectl auth can-i', () => {
  const api = new KubernetesApi(bed.kubeconfigs.admin);
  const servers = new Map<BedUser, Server>();
  let space: string;

  beforeAll(async () => {
    space = await createNamespace(api, 'access');
    await apply(bed, rbac(space));
    for (const user of USERS) servers.set(user, await openApp({ 'kubernetes.kubeconfig': bed.kubeconfigs[user] }));
  });
  afterAll(async () => {
    for (const server of servers.values()) await server.close();
    await deleteNamespace(api, space);
    await api.close();
  });

  const askKubectl = async (user: BedUser, { verb, resource, subresource, name, namespace = space }: Question, as: readonly string[]) => {
    const where = namespace === '' ? ['--all-namespaces'] : ['--namespace', namespace];
    const what = [
      verb,
      name === undefined ? resource : `${resource}/${name}`,
      ...(subresource === undefined ? [] : [`--subresource=${subresource}`]),
    ];
    const { code, stdout } = await kubectl(bed, ['auth', 'can-i', ...what, ...where, ...as], { user });
    return { isAllowed: code === 0, says: stdout.trim().split(' ')[0] };
  };
  const askUs = async (user: BedUser, { verb, resource, subresource, name, namespace = space }: Question, subject?: string) => {
    const server = servers.get(user);
    if (server === undefined) throw new Error(`no server for ${user}`);
    const { structured } = await server.call('kubernetes_check_access', {
      verb,
      kind: subresource === undefined ? resource : `${resource}/${subresource}`,
      ...(name === undefined ? {} : { name }),
      ...(namespace === '' ? {} : { namespace }),
      ...(subject === undefined ? {} : { subject }),
    });
    return structured;
  };

  it.each(USERS.flatMap((user) => QUESTIONS.map((question) => ({ user, question, text: words(question) }))))(
    '$user: $text',
    async ({ user, question }) => {
      const [expected, given] = await Promise.all([askKubectl(user, question, []), askUs(user, question)]);
      expect(given['allowed']).toBe(expected.isAllowed);
      expect(expected.says).toBe(expected.isAllowed ? 'yes' : 'no');
      if (!expected.isAllowed) expect(given['missingRule']).toBeDefined();
    },
  );

  it.each(SUBJECTS.flatMap(({ subject, as }) => QUESTIONS.map((question) => ({ subject, as, question, text: words(question) }))))(
    '$subject: $text',
    async ({ subject, as, question }) => {
      const fill = (text: string): string => text.replaceAll('SPACE', space);
      const [expected, given] = await Promise.all([askKubectl('admin', question, as.map(fill)), askUs('admin', question, fill(subject))]);
      expect(given['allowed']).toBe(expected.isAllowed);
      // The binding that decides is named, as the authorizer names it in its reason.
      if (expected.isAllowed) {
        const binding = /(?:ClusterRoleBinding|RoleBinding) "([^"/]+)/.exec(String(given['reason']))?.[1];
        const decided = (given['decidedBy'] as { binding: string }[]).map((one) => one.binding.split('/').at(-1));
        expect(decided).toContain(binding);
      }
    },
  );
});
