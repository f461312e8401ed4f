import { once } from 'node:events';
import { connect } from 'node:net';
import { WebSocket } from 'undici';
import { afterEach, describe, expect, it } from 'vitest';
import type { UserName } from '../authentication.ts';
import { createEmbeddedKubernetes, type EmbeddedKubernetes, type KubernetesObject } from '../index.ts';
import { type Json, parseJson, textAt } from '../json.ts';
import { askerOf, statusOf } from '../testing.ts';

const open: EmbeddedKubernetes[] = [];

afterEach(async () => {
  for (const kubernetes of open.splice(0)) await kubernetes.close();
});

const running = (name: string) => ({ name, state: { running: { startedAt: '2026-11-22T12:00:00Z' } }, ready: true, restartCount: 0 });

const pod = (name: string, rest: { [key: string]: Json } = {}): KubernetesObject => ({
  kind: 'Pod',
  apiVersion: 'v1',
  metadata: { name, namespace: 'work' },
  spec: {
    nodeName: 'node-1',
    volumes: [{ name: 'settings', configMap: { name: 'settings' } }],
    containers: [
      {
        name: 'main',
        image: 'tiny:1',
        command: ['/main'],
        env: [
          { name: 'LEVEL', value: 'info' },
          { name: 'POOL', valueFrom: { configMapKeyRef: { name: 'settings', key: 'pool.size' } } },
          { name: 'BOTH', value: '$(LEVEL)/$(POOL)/$(NONE)' },
          { name: 'ME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
        ],
        volumeMounts: [{ name: 'settings', mountPath: '/etc/settings' }],
      },
      { name: 'side', image: 'tiny:1' },
    ],
  },
  status: { phase: 'Running', podIP: '10.1.2.3', containerStatuses: [running('main'), running('side')] },
  ...rest,
});

const OBJECTS: KubernetesObject[] = [
  { kind: 'Namespace', apiVersion: 'v1', metadata: { name: 'work' } },
  {
    kind: 'ConfigMap',
    apiVersion: 'v1',
    metadata: { name: 'settings', namespace: 'work' },
    data: { 'pool.size': '12', 'b.txt': 'one\ntwo\n' },
  },
  pod('shell'),
  pod('waiting', {
    status: { phase: 'Running', containerStatuses: [{ name: 'main', state: { waiting: { reason: 'CrashLoopBackOff' } } }] },
  }),
  pod('unplaced', { spec: { containers: [{ name: 'main', image: 'tiny:1' }] }, status: { phase: 'Pending' } }),
];

const start = async (): Promise<{ kubernetes: EmbeddedKubernetes; url: string }> => {
  const kubernetes = createEmbeddedKubernetes({ objects: OBJECTS });
  open.push(kubernetes);
  const { url } = await kubernetes.listen();
  return { kubernetes, url };
};

const pathOf = (words: readonly string[], { name = 'shell', container = 'main', query = 'stdout=true&stderr=true' } = {}): string =>
  `/api/v1/namespaces/work/pods/${name}/exec?${words.map((word) => `command=${encodeURIComponent(word)}&`).join('')}container=${container}&${query}`;

interface Options {
  readonly protocols?: string[];
  readonly query?: string;
  readonly user?: UserName;
  readonly input?: readonly Buffer[];
}

/** Everything that a command answers, by channel, and its Status. */
const exec = async (words: readonly string[], { protocols = ['v5.channel.k8s.io'], query, user = 'admin', input = [] }: Options = {}) => {
  const { kubernetes, url } = await start();
  const path = pathOf(words, query === undefined ? {} : { query });
  const socket = new WebSocket(`${url.replace('http', 'ws')}${path}`, {
    protocols,
    headers: { authorization: `Bearer ${kubernetes.token(user)}` },
  });
  socket.binaryType = 'arraybuffer';
  const channels: string[] = ['', '', '', ''];
  const first: string[] = [];
  socket.addEventListener('message', ({ data }) => {
    const bytes = Buffer.from(data as ArrayBuffer);
    const channel = bytes[0] ?? 0;
    first.push(`${channel}:${bytes.length - 1}`);
    channels[channel] += bytes.subarray(1).toString();
  });
  socket.addEventListener('open', () => {
    for (const piece of input) socket.send(piece);
  });
  const [{ code }] = (await once(socket, 'close')) as [{ code: number }];
  const [, out = '', err = '', status = ''] = channels;
  return { out, err, code, first: first[0], protocol: socket.protocol, status: status === '' ? undefined : parseJson(status) };
};

const causesOf = (code: number): Json => ({ causes: [{ reason: 'ExitCode', message: String(code) }] });

describe('exec', () => {
  it('streams what a command writes, then its Status, then says goodbye', async () => {
    const answer = await exec(['echo', 'hello', 'there']);
    expect(answer).toEqual({
      out: 'hello there\n',
      err: '',
      code: 1000,
      first: '1:0',
      protocol: 'v5.channel.k8s.io',
      status: { metadata: {}, status: 'Success' },
    });
  });

  it('tells the exit code, in the words of each version of the protocol', async () => {
    const [five, four] = [
      await exec(['sh', '-c', 'exit 7']),
      await exec(['sh', '-c', 'echo no >&2; exit 3'], { protocols: ['v4.channel.k8s.io'] }),
    ];
    expect(five.status).toEqual({
      metadata: {},
      status: 'Failure',
      message: 'command terminated with non-zero exit code: command terminated with exit code 7',
      reason: 'NonZeroExitCode',
      details: causesOf(7),
    });
    expect([four.protocol, four.err]).toEqual(['v4.channel.k8s.io', 'no\n']);
    expect(four.status).toMatchObject({
      message: 'command terminated with non-zero exit code: error executing command [sh -c echo no >&2; exit 3], exit code 3',
      details: causesOf(3),
    });
  });

  it.each([
    [['nonsense'], 'exec: "nonsense": executable file not found in $PATH: unknown'],
    [['/bin/nonsense'], 'exec: "/bin/nonsense": stat /bin/nonsense: no such file or directory: unknown'],
    [['/etc/settings/b.txt'], 'exec: "/etc/settings/b.txt": permission denied: unknown'],
  ])('refuses %j as the runtime does', async (words, why) => {
    const { status } = await exec(words);
    expect(textAt(status, 'reason')).toBe('InternalError');
    expect(textAt(status, 'message')).toMatch(
      /^Internal error occurred: Internal error occurred: error executing command in container: failed to exec in container: failed to start exec "[0-9a-f]{64}": OCI runtime exec failed: exec failed: unable to start container process: /,
    );
    expect(textAt(status, 'message').endsWith(why)).toBe(true);
  });

  it.each([
    ['cat /etc/settings/pool.size', '12', '', 0],
    ['cat /etc/settings/b.txt | wc -l', '2\n', '', 0],
    ['cat /nope', '', "cat: can't open '/nope': No such file or directory\n", 1],
    ['ls /etc/settings', 'b.txt\npool.size\n', '', 0],
    ['ls /nope', '', 'ls: /nope: No such file or directory\n', 1],
    ['hostname; pwd', 'shell\n/\n', '', 0],
    ['echo "$LEVEL-$POOL" ${ME} \'$ME\' $BOTH', 'info-12 shell $ME info/12/$(NONE)\n', '', 0],
    ['false && echo a || echo b; echo $?', 'b\n0\n', '', 0],
    ['nonsense', '', 'sh: nonsense: not found\n', 127],
    ['echo "open', '', 'sh: syntax error: unterminated quoted string\n', 2],
    ['exit 300', '', '', 44],
  ])('runs `sh -c %s`', async (script, out, err, code) => {
    const answer = await exec(['sh', '-c', script]);
    expect([answer.out, answer.err]).toEqual([out, err]);
    expect(answer.status).toMatchObject(code === 0 ? { status: 'Success' } : { details: causesOf(code) });
  });

  it('reads the environment of the container, ConfigMaps and fields included', async () => {
    const { out } = await exec(['env']);
    expect(out.split('\n')).toEqual(
      expect.arrayContaining(['HOSTNAME=shell', 'LEVEL=info', 'POOL=12', 'BOTH=info/12/$(NONE)', 'ME=shell']),
    );
  });

  it('passes input on until its end', async () => {
    const input = [Buffer.from('\0one\n'), Buffer.from('\0two\n'), Buffer.from([255, 0])];
    expect((await exec(['cat'], { query: 'stdin=true&stdout=true', input })).out).toBe('one\ntwo\n');
  });

  it('has one stream in a terminal', async () => {
    const { out, err } = await exec(['sh', '-c', 'echo a; echo b >&2'], { query: 'stdout=true&stderr=true&tty=true' });
    expect([out, err]).toEqual(['a\r\nb\r\n', '']);
  });

  const refusals: [string, string, number, string][] = [
    [
      'several containers and no name',
      pathOf(['id'], { container: '' }),
      400,
      'a container name must be specified for pod shell, choose one of: [main side]',
    ],
    ['a container that is not there', pathOf(['id'], { container: 'nope' }), 400, 'container nope is not valid for pod shell'],
    ['a container that does not run', pathOf(['id'], { name: 'waiting' }), 500, 'container not found ("main")'],
    ['a pod without a node', pathOf(['id'], { name: 'unplaced' }), 400, 'pod unplaced does not have a host assigned'],
    ['a pod that is not there', pathOf(['id'], { name: 'nope' }), 404, 'pods "nope" not found'],
    ['no stream', pathOf(['id'], { query: '' }), 400, 'you must specify at least 1 of stdin, stdout, stderr'],
  ];

  it.each(refusals)('refuses %s before it begins', async (_, path, code, message) => {
    const { kubernetes } = await start();
    const response = await kubernetes.handle(
      new Request(`http://kubernetes${path}`, { headers: { authorization: `Bearer ${kubernetes.token()}`, upgrade: 'websocket' } }),
    );
    expect([response.status, await response.text()]).toEqual([
      code,
      expect.stringContaining(message.replaceAll('"', code === 500 ? '"' : '\\"')),
    ]);
  });

  it('asks for a WebSocket, and for a protocol that it speaks', async () => {
    const { kubernetes } = await start();
    expect(statusOf(await askerOf(kubernetes)(pathOf(['id'])))).toMatchObject({ code: 400, message: 'Upgrade request required' });
    const headers = { upgrade: 'websocket', 'sec-websocket-protocol': 'chat' };
    expect((await askerOf(kubernetes)(pathOf(['id']), { headers })).status).toBe(403);
  });

  it('needs the right to get, and the right to create as well', async () => {
    const { kubernetes } = await start();
    const grant = async (verbs: string[]): Promise<Json> => {
      const ask = askerOf(kubernetes);
      const metadata = { name: 'exec' };
      const rules = [{ apiGroups: [''], resources: ['pods/exec'], verbs }];
      const base = '/apis/rbac.authorization.k8s.io/v1/namespaces/work';
      await ask(`${base}/roles`, { method: 'POST', body: { metadata, rules } });
      await ask(`${base}/roles/exec`, { method: 'PATCH', type: 'application/merge-patch+json', body: { rules } });
      const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'exec' };
      await ask(`${base}/rolebindings`, { method: 'POST', body: { metadata, roleRef, subjects: [{ kind: 'User', name: 'nobody' }] } });
      return (await ask(pathOf(['id']), { user: 'nobody', headers: { upgrade: 'websocket' } })).body;
    };
    expect(textAt(await grant(['get']), 'message')).toBe('pods "shell" is forbidden: ');
    expect(textAt(await grant(['create']), 'message')).toContain('User "nobody" cannot get resource "pods/exec"');
    expect(await grant(['get', 'create'])).toBe(null);
  });

  it('ends what still runs when the server closes', async () => {
    const { kubernetes, url } = await start();
    const socket = new WebSocket(`${url.replace('http', 'ws')}${pathOf(['sleep', '3600'])}`, {
      protocols: ['v5.channel.k8s.io'],
      headers: { authorization: `Bearer ${kubernetes.token()}` },
    });
    await once(socket, 'open');
    const closed = once(socket, 'close');
    await kubernetes.close();
    await closed;
  });

  it.each([
    ['a frame without a mask', Buffer.from([0x82, 1, 0])],
    ['a frame of a gigabyte', Buffer.from([0x82, 0xff, 0, 0, 0, 0, 0x40, 0, 0, 0, 1, 2, 3, 4])],
    ['bits that nobody agreed on', Buffer.from([0xf2, 0x80, 1, 2, 3, 4])],
  ])('hangs up on %s', async (_, bytes) => {
    const { kubernetes, url } = await start();
    const { port, hostname } = new URL(url);
    const socket = connect(Number(port), hostname);
    const answers: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => {
      if (answers.length === 0) socket.write(bytes);
      answers.push(chunk);
    });
    const lines = [
      `GET ${pathOf(['sleep', '3600'], { query: 'stdout=true' })} HTTP/1.1`,
      `Host: ${hostname}`,
      `Authorization: Bearer ${kubernetes.token()}`,
      'Connection: Upgrade',
      'Upgrade: websocket',
      'Sec-WebSocket-Version: 13',
      `Sec-WebSocket-Key: ${Buffer.alloc(16).toString('base64')}`,
      'Sec-WebSocket-Protocol: v5.channel.k8s.io',
    ];
    socket.write(`${lines.join('\r\n')}\r\n\r\n`);
    await once(socket, 'end');
    socket.destroy();
    // A close frame with code 1002: a fault of the protocol.
    expect([...Buffer.concat(answers).subarray(-4)]).toEqual([0x88, 2, 0x03, 0xea]);
  });
});
