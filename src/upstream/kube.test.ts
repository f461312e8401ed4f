import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createServer as createPlainServer, type IncomingMessage } from 'node:http';
import { createServer, type Server } from 'node:https';
import { type AddressInfo, connect as connectSocket, createServer as createSocketServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { AppError } from '../kit/errors.ts';
import type { Logger, Upstream } from './http.ts';
import { createKubeUpstream, type KubeUpstreamDeps, loadTargets, type TargetOptions, type TargetSource } from './kube.ts';

const logger: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const signal = new AbortController().signal;
const path = process.execPath.replace(/\/[^/]*$/, '');

let folder = '';
let server: Server;
let port = 0;
const seen: IncomingMessage[] = [];
const closing: (() => unknown)[] = [];
const pem: Record<string, string> = {};

/** Makes a CA, a server certificate for api.internal and 127.0.0.1, and client certificates, all real. */
const makeCertificates = async (at: string) => {
  const run = (...args: string[]) => execFileSync('openssl', args, { cwd: at, stdio: ['ignore', 'ignore', 'ignore'] });
  const key = (name: string) => run('ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', `${name}.key`);
  key('ca');
  run('req', '-x509', '-new', '-key', 'ca.key', '-days', '2', '-subj', '/CN=test-ca', '-out', 'ca.crt');
  const sign = async (name: string, subject: string, extensions: string) => {
    key(name);
    await writeFile(join(at, `${name}.ext`), extensions);
    run('req', '-new', '-key', `${name}.key`, '-subj', subject, '-out', `${name}.csr`);
    run(
      'x509',
      '-req',
      '-in',
      `${name}.csr`,
      '-CA',
      'ca.crt',
      '-CAkey',
      'ca.key',
      '-CAcreateserial',
      '-days',
      '2',
      '-extfile',
      `${name}.ext`,
      '-out',
      `${name}.crt`,
    );
  };
  await sign('server', '/CN=server', 'subjectAltName=IP:127.0.0.1,DNS:api.internal');
  await sign('anna', '/CN=anna', 'extendedKeyUsage=clientAuth');
  await sign('bert', '/CN=bert', 'extendedKeyUsage=clientAuth');
  for (const name of ['ca.crt', 'server.crt', 'server.key', 'anna.crt', 'anna.key', 'bert.crt', 'bert.key'])
    pem[name] = await readFile(join(at, name), 'utf8');
};

const read = (name: string): string => pem[name] ?? '';
const base64 = (text: string): string => Buffer.from(text).toString('base64');

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kube-test-'));
  await makeCertificates(folder);
  server = createServer(
    { key: read('server.key'), cert: read('server.crt'), ca: read('ca.crt'), requestCert: true, rejectUnauthorized: false },
    (request, response) => {
      seen.push(request);
      const socket = request.socket as TLSSocket;
      const token = request.headers.authorization ?? '';
      response.writeHead(token === 'Bearer expired' ? 401 : 200, { 'content-type': 'application/json' });
      response.end(
        JSON.stringify({
          user: socket.getPeerCertificate().subject?.CN,
          authorized: socket.authorized,
          token,
          host: request.headers.host,
          servername: socket.servername,
        }),
      );
    },
  );
  await once(server.listen(0, '127.0.0.1'), 'listening');
  port = (server.address() as AddressInfo).port;
});

afterEach(async () => {
  seen.length = 0;
  for (const close of closing.splice(0)) await close();
});

afterAll(async () => {
  server.closeAllConnections();
  server.close();
  await rm(folder, { recursive: true });
});

const makeFolder = () => mkdtemp(join(folder, 'case-'));

interface Parts {
  readonly cluster?: object;
  readonly user?: object;
  readonly context?: object;
}

/** JSON is YAML. */
const toKubeconfig = ({ cluster = {}, user = {}, context = {} }: Parts = {}): string =>
  JSON.stringify({
    'current-context': 'one',
    clusters: [
      { name: 'c', cluster: { server: `https://127.0.0.1:${port}`, 'certificate-authority-data': base64(read('ca.crt')), ...cluster } },
    ],
    users: [{ name: 'u', user }],
    contexts: [{ name: 'one', context: { cluster: 'c', user: 'u', ...context } }],
  });

const load = async (options: Partial<TargetOptions>): Promise<TargetSource> => {
  const source = await loadTargets({ env: {}, now: Date.now, logger, ...options });
  closing.push(() => source.close());
  return source;
};

const connect = (source: TargetSource, deps: Partial<KubeUpstreamDeps> = {}): Upstream => {
  const [target] = source.targets;
  if (target === undefined) throw new Error('no target');
  const upstream = createKubeUpstream(target, { env: { PATH: path }, now: Date.now, logger, retries: 0, ...deps });
  closing.push(() => upstream.close());
  return upstream;
};

const open = async (parts: Parts, deps: Partial<KubeUpstreamDeps> = {}): Promise<Upstream> => {
  const file = join(await makeFolder(), 'config');
  await writeFile(file, toKubeconfig(parts));
  return connect(await load({ kubeconfig: file }), deps);
};

const ask = async (upstream: Upstream): Promise<Record<string, unknown>> =>
  (await upstream.json({ path: '/', signal })).body as Record<string, unknown>;

const failureOf = async (promise: Promise<unknown>): Promise<AppError> => {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof AppError) return error;
  throw new Error(`expected an AppError, got ${String(error)}`);
};

describe('targets', () => {
  it('are the contexts, with host, namespace and file, and nothing secret', async () => {
    const file = join(await makeFolder(), 'config');
    await writeFile(file, toKubeconfig({ user: { token: 'secret-token' }, context: { namespace: 'shop' } }));
    const source = await load({ kubeconfig: file });
    expect(source.targets).toEqual([
      { name: 'one', server: `127.0.0.1:${port}`, namespace: 'shop', cluster: 'c', user: 'u', source: file },
    ]);
    expect(source.current).toBe('one');
    expect(JSON.stringify(source.targets)).not.toContain('secret');
  });

  it('are merged from a list of files: the first wins per name', async () => {
    const at = await makeFolder();
    const file = (name: string, context: string, user: string, current?: string) =>
      writeFile(
        join(at, name),
        `${current === undefined ? '' : `current-context: ${current}\n`}clusters:\n- name: c\n  cluster: {server: "https://${name}.example"}\nusers:\n- name: ${user}\n  user: {}\ncontexts:\n- name: ${context}\n  context: {cluster: c, user: ${user}, namespace: from-${name}}\n- name: both\n  context: {cluster: c, user: ${user}, namespace: from-${name}}\n`,
      );
    await file('a', 'first', 'ua');
    await file('b', 'second', 'ub', 'second');
    await file('c', 'third', 'uc', 'third');
    const source = await load({ env: { KUBECONFIG: `${at}/a::${at}/b:${at}/missing:${at}/c` } });
    const names = Object.fromEntries(source.targets.map(({ name, namespace, server: host }) => [name, [namespace, host]]));
    expect(names).toEqual({
      first: ['from-a', 'a.example'],
      second: ['from-b', 'a.example'],
      third: ['from-c', 'a.example'],
      both: ['from-a', 'a.example'],
    });
    expect(source.current).toBe('second');
    expect(source.problems.map(({ message }) => message)).toEqual([`The kubeconfig file ${at}/missing is of no use: it does not exist.`]);
  });

  it('come from the default file, else from the pod account', async () => {
    const home = await makeFolder();
    const account = await makeFolder();
    const env = { HOME: home, KUBERNETES_SERVICE_HOST: '10.96.0.1', KUBERNETES_SERVICE_PORT: '443' };
    expect(await load({ env: { HOME: home }, serviceAccountFolder: account })).toMatchObject({
      isConfigured: false,
      targets: [],
      problems: [],
    });
    await writeFile(join(account, 'token'), 'account-token\n');
    await writeFile(join(account, 'namespace'), 'monitoring');
    const inCluster = await load({ env, serviceAccountFolder: account });
    expect(inCluster).toMatchObject({
      isConfigured: true,
      current: 'in-cluster',
      targets: [{ name: 'in-cluster', server: '10.96.0.1', namespace: 'monitoring' }],
    });
    await mkdir(join(home, '.kube'));
    await writeFile(join(home, '.kube', 'config'), toKubeconfig());
    expect((await load({ env, serviceAccountFolder: account })).targets.map(({ name }) => name)).toEqual(['one']);
  });

  it.each([
    ['is not there', undefined, 'SERVICE_UNAVAILABLE', /does not exist/],
    ['is no YAML', 'token: "secret-thing\n  x: [', 'INVALID_ARGUMENT', /not a mapping/],
    ['is a list', '- secret-thing', 'INVALID_ARGUMENT', /not a mapping/],
  ])('a named file that %s leaves a reason, throws nothing and quotes nothing', async (_, text, code, words) => {
    const file = join(await makeFolder(), 'config');
    if (text !== undefined) await writeFile(file, text);
    const source = await load({ kubeconfig: file });
    expect(source).toMatchObject({ isConfigured: true, targets: [], problems: [{ code }] });
    expect(source.problems[0]?.message).toMatch(words);
    expect(source.problems[0]?.message).not.toContain('secret');
  });

  it('a context that names an undefined cluster fails alone, when it is used', async () => {
    const file = join(await makeFolder(), 'config');
    await writeFile(file, 'contexts:\n- name: broken\n  context: {cluster: nowhere, user: nobody}\n');
    const source = await load({ kubeconfig: file });
    expect(source.targets).toHaveLength(1);
    expect(() => connect(source)).toThrow(/names the cluster "nowhere"/);
  });

  it('follow a file that changes, and keep the object of a target that has not changed', async () => {
    const file = join(await makeFolder(), 'config');
    const write = async (extra: object[]) => {
      const config = JSON.parse(toKubeconfig());
      // Written aside and moved over it, as kubectl and mounted volumes do.
      await writeFile(`${file}.new`, JSON.stringify({ ...config, contexts: [...config.contexts, ...extra] }));
      await rename(`${file}.new`, file);
    };
    await write([]);
    const source = await load({ kubeconfig: file });
    const [before] = source.targets;
    const changed = new Promise<void>((resolve) => source.watch(resolve));
    await write([{ name: 'two', context: { cluster: 'c', user: 'u' } }]);
    await changed;
    expect(source.targets.map(({ name }) => name)).toEqual(['one', 'two']);
    expect(source.targets[0]).toBe(before);
  });

  it('notice a change with a call, at most every few seconds, and a broken file keeps the last good state', async () => {
    const file = join(await makeFolder(), 'config');
    await writeFile(file, toKubeconfig());
    let time = 0;
    const source = await load({ kubeconfig: file, now: () => time });
    await writeFile(file, toKubeconfig({ context: { namespace: 'changed' } }));
    await source.check();
    expect(source.targets[0]?.namespace).toBeUndefined();
    time += 5000;
    await source.check();
    expect(source.targets[0]?.namespace).toBe('changed');
    await writeFile(file, '{"contexts": [');
    await source.reload();
    expect(source).toMatchObject({ targets: [{ namespace: 'changed' }], problems: [{ code: 'INVALID_ARGUMENT' }] });
    await rm(file);
    await source.reload();
    expect(source.targets).toEqual([]);
  });

  it('get a new object when only their credentials change', async () => {
    const file = join(await makeFolder(), 'config');
    await writeFile(file, toKubeconfig({ user: { token: 'a' } }));
    const source = await load({ kubeconfig: file });
    const [before] = source.targets;
    await writeFile(file, toKubeconfig({ user: { token: 'bb' } }));
    await source.reload();
    expect(source.targets[0]).toEqual(before);
    expect(source.targets[0]).not.toBe(before);
  });
});

describe('connections', () => {
  it('trust the CA of the file and no other', async () => {
    expect(await ask(await open({}))).toMatchObject({ authorized: false });
    const other = await open({ cluster: { 'certificate-authority-data': base64(read('anna.crt')) } });
    expect(await failureOf(ask(other))).toMatchObject({ code: 'SERVICE_UNAVAILABLE', details: { reason: 'TLS' } });
    const none = await open({ cluster: { 'certificate-authority-data': undefined } });
    expect((await failureOf(ask(none))).message).toBe('Kubernetes does not answer: its certificate is not trusted.');
    expect(await ask(await open({ cluster: { 'certificate-authority-data': undefined, 'insecure-skip-tls-verify': true } }))).toMatchObject(
      { token: '' },
    );
  });

  it('check the name that tls-server-name gives', async () => {
    expect(await ask(await open({ cluster: { 'tls-server-name': 'api.internal' } }))).toMatchObject({ servername: 'api.internal' });
    expect((await failureOf(ask(await open({ cluster: { 'tls-server-name': 'other.internal' } })))).message).toContain(
      'certificate is for another name',
    );
  });

  it('send a client certificate from data and from files', async () => {
    const user = { 'client-certificate-data': base64(read('anna.crt')), 'client-key-data': base64(read('anna.key')) };
    expect(await ask(await open({ user }))).toMatchObject({ user: 'anna', authorized: true });
    const at = await makeFolder();
    await writeFile(join(at, 'me.crt'), read('bert.crt'));
    await writeFile(join(at, 'me.key'), read('bert.key'));
    await writeFile(join(at, 'config'), toKubeconfig({ user: { 'client-certificate': 'me.crt', 'client-key': join(at, 'me.key') } }));
    let time = 0;
    const upstream = connect(await load({ kubeconfig: join(at, 'config') }), { now: () => time });
    expect(await ask(upstream)).toMatchObject({ user: 'bert' });
    await writeFile(join(at, 'me.crt'), read('anna.crt'));
    await writeFile(join(at, 'me.key'), read('anna.key'));
    expect(await ask(upstream)).toMatchObject({ user: 'bert' });
    time += 61_000;
    expect(await ask(upstream)).toMatchObject({ user: 'anna' });
  });

  it.each(['http', 'socks5'])('go through a %s proxy of the file', async (scheme) => {
    const proxy = scheme === 'http' ? await startHttpProxy() : await startSocksProxy();
    expect(await ask(await open({ cluster: { 'proxy-url': `${scheme}://127.0.0.1:${proxy.port}` } }))).toMatchObject({ authorized: false });
    expect(proxy.targets).toEqual([`127.0.0.1:${port}`]);
  });
});

describe('logins', () => {
  it.each([
    ['token', { token: 'plain' }, 'Bearer plain'],
    ['basic auth', { username: 'me', password: 'pa:ss' }, `Basic ${base64('me:pa:ss')}`],
    [
      'a valid id-token',
      { 'auth-provider': { name: 'oidc', config: { 'id-token': `h.${Buffer.from('{"exp":9999999999}').toString('base64url')}.s` } } },
      'Bearer h.eyJleHAiOjk5OTk5OTk5OTl9.s',
    ],
    ['nothing', {}, ''],
  ])('send %s', async (_, user, token) => {
    expect(await ask(await open({ user }))).toMatchObject({ token });
  });

  it.each([
    [
      'an expired id-token',
      { name: 'oidc', config: { 'id-token': `h.${Buffer.from('{"exp":1}').toString('base64url')}.s` } },
      /expired id-token: any kubectl command renews it/,
    ],
    ['no id-token', { name: 'oidc', config: {} }, /has no id-token/],
    ['a provider that is gone', { name: 'gcp', config: {} }, /removed from Kubernetes 1\.26/],
  ])('say how to mend %s', async (_, provider, words) => {
    const error = await failureOf(ask(await open({ user: { 'auth-provider': provider } })));
    expect(error).toMatchObject({ code: 'UNAUTHENTICATED', details: { setting: 'users[u].user.auth-provider' } });
    expect(error.message).toMatch(words);
  });

  it('impersonate as the file says, or as the caller of this function says', async () => {
    const user = { token: 'x', as: 'boss', 'as-uid': '7', 'as-groups': ['a', 'b'], 'as-user-extra': { 'acme.com/Project': ['p', 'q'] } };
    await ask(await open({ user }));
    expect(seen[0]?.headersDistinct).toMatchObject({
      'impersonate-user': ['boss'],
      'impersonate-uid': ['7'],
      'impersonate-group': ['a', 'b'],
      'impersonate-extra-acme.com%2fproject': ['p', 'q'],
    });
    await ask(await open({ user }, { impersonate: { user: 'caller' } }));
    expect(seen[1]?.headers['impersonate-user']).toBe('caller');
    expect(seen[1]?.headers['impersonate-group']).toBeUndefined();
  });

  it('read a token file again after a minute, and at once after a 401', async () => {
    const at = await makeFolder();
    const token = join(at, 'token');
    await writeFile(token, 'first\n');
    await writeFile(join(at, 'config'), toKubeconfig({ user: { tokenFile: 'token' } }));
    let time = 0;
    const upstream = connect(await load({ kubeconfig: join(at, 'config') }), { now: () => time });
    expect(await ask(upstream)).toMatchObject({ token: 'Bearer first' });
    await writeFile(token, 'expired');
    expect(await ask(upstream)).toMatchObject({ token: 'Bearer first' });
    time += 61_000;
    expect((await failureOf(ask(upstream))).code).toBe('UNAUTHENTICATED');
    await writeFile(token, 'third');
    seen.length = 0;
    expect(await ask(upstream)).toMatchObject({ token: 'Bearer third' });
    expect(seen.map(({ headers }) => headers.authorization)).toEqual(['Bearer expired', 'Bearer third']);
  });

  it('name the setting of a token file that cannot be read', async () => {
    const error = await failureOf(ask(await open({ user: { tokenFile: '/nowhere/token' } })));
    expect(error).toMatchObject({ code: 'UNAUTHENTICATED', details: { setting: 'users[u].user.tokenFile' } });
  });
});

const API = 'client.authentication.k8s.io/v1';

/** A real program: it counts its runs in a file and prints what the script says. */
const makePlugin = async (script: string): Promise<{ command: string; runs: () => Promise<number> }> => {
  const at = await makeFolder();
  await writeFile(join(at, 'plugin'), `#!/bin/sh\necho run >> '${at}/runs'\n${script}\n`);
  await chmod(join(at, 'plugin'), 0o755);
  return {
    command: join(at, 'plugin'),
    runs: async () => (await readFile(join(at, 'runs'), 'utf8').catch(() => '')).split('\n').length - 1,
  };
};

const printToken = (token: string, more = ''): string =>
  `printf '{"apiVersion":"${API}","kind":"ExecCredential","status":{"token":"${token}"${more}}}'`;

describe('exec plugins', () => {
  const withPlugin = (exec: object, deps: Partial<KubeUpstreamDeps> = {}) =>
    open(
      { user: { exec: { apiVersion: API, interactiveMode: 'Never', ...exec } } },
      { env: { PATH: '/usr/bin:/bin', KEPT: 'kept' }, ...deps },
    );

  it('do not run before the first call, then once for all who wait', async () => {
    const plugin = await makePlugin(printToken('from-plugin'));
    const upstream = await withPlugin({ command: plugin.command });
    expect(await plugin.runs()).toBe(0);
    const answers = await Promise.all([ask(upstream), ask(upstream), ask(upstream)]);
    expect(answers.map(({ token }) => token)).toEqual(['Bearer from-plugin', 'Bearer from-plugin', 'Bearer from-plugin']);
    await ask(upstream);
    expect(await plugin.runs()).toBe(1);
  });

  it('get their arguments untouched, their environment and the request, without a shell', async () => {
    const script = `printf '{"apiVersion":"${API}","kind":"ExecCredential","status":{"token":"%s|%s|%s|%s"}}' "$1" "$GIVEN" "$KEPT" "$(printf %s "$KUBERNETES_EXEC_INFO" | tr -d '"')"`;
    const plugin = await makePlugin(script);
    const upstream = await withPlugin({ command: plugin.command, args: ['$HOME;ls'], env: [{ name: 'GIVEN', value: 'given' }] });
    expect(await ask(upstream)).toMatchObject({
      token: `Bearer $HOME;ls|given|kept|{apiVersion:${API},kind:ExecCredential,spec:{interactive:false}}`,
    });
  });

  it('learn about the cluster when they ask for it', async () => {
    const at = await makeFolder();
    const plugin = await makePlugin(`printf %s "$KUBERNETES_EXEC_INFO" > '${at}/info'\n${printToken('x')}`);
    const extensions = [{ name: 'client.authentication.k8s.io/exec', extension: { audience: 'a' } }];
    await ask(
      await open({ cluster: { extensions }, user: { exec: { apiVersion: API, command: plugin.command, provideClusterInfo: true } } }),
    );
    expect(JSON.parse(await readFile(join(at, 'info'), 'utf8'))).toMatchObject({
      spec: {
        cluster: {
          server: `https://127.0.0.1:${port}`,
          'certificate-authority-data': base64(read('ca.crt')),
          config: { audience: 'a' },
        },
      },
    });
  });

  it('run again when the credential has expired, and when the server refuses it', async () => {
    let time = Date.parse('2030-01-01T00:00:00Z');
    const at = await makeFolder();
    const plugin = await makePlugin(
      `printf '{"apiVersion":"${API}","kind":"ExecCredential","status":{"token":"%s","expirationTimestamp":"2030-01-01T01:00:00Z"}}' "$(cat '${at}/token')"`,
    );
    await writeFile(join(at, 'token'), 'one');
    const upstream = await withPlugin({ command: plugin.command }, { now: () => time });
    expect(await ask(upstream)).toMatchObject({ token: 'Bearer one' });
    await writeFile(join(at, 'token'), 'expired');
    time += 59 * 60_000;
    expect(await ask(upstream)).toMatchObject({ token: 'Bearer one' });
    time += 60_000;
    expect((await failureOf(ask(upstream))).code).toBe('UNAUTHENTICATED');
    await writeFile(join(at, 'token'), 'two');
    time += 5000;
    expect(await ask(upstream)).toMatchObject({ token: 'Bearer two' });
  });

  it('may give a client certificate', async () => {
    const answer = {
      apiVersion: API,
      kind: 'ExecCredential',
      status: { clientCertificateData: read('anna.crt'), clientKeyData: read('anna.key') },
    };
    const at = await makeFolder();
    await writeFile(join(at, 'answer'), JSON.stringify(answer));
    const plugin = await makePlugin(`cat '${at}/answer'`);
    expect(await ask(await withPlugin({ command: plugin.command }))).toMatchObject({ user: 'anna', authorized: true, token: '' });
  });

  it('are found beside the kubeconfig and in PATH, and still read v1beta1', async () => {
    const plugin = await makePlugin(printToken('beta').replace(API, 'client.authentication.k8s.io/v1beta1'));
    const beside = plugin.command.replace(/plugin$/, '');
    await writeFile(
      join(beside, 'config'),
      toKubeconfig({ user: { exec: { apiVersion: 'client.authentication.k8s.io/v1beta1', command: './plugin' } } }),
    );
    expect(await ask(connect(await load({ kubeconfig: join(beside, 'config') }), { env: { PATH: '/usr/bin:/bin' } }))).toMatchObject({
      token: 'Bearer beta',
    });
    await writeFile(
      join(beside, 'config2'),
      toKubeconfig({ user: { exec: { apiVersion: 'client.authentication.k8s.io/v1beta1', command: 'plugin' } } }),
    );
    expect(
      await ask(connect(await load({ kubeconfig: join(beside, 'config2') }), { env: { PATH: `/usr/bin:/bin:${beside}` } })),
    ).toMatchObject({ token: 'Bearer beta' });
  });

  it.each([
    [
      'is not installed',
      { command: 'no-such-plugin', installHint: 'Install it with\nbrew.' },
      '',
      { hint: 'Install it with brew.' },
      /is not installed/,
    ],
    ['fails', {}, 'echo "run \\`login\\` first" >&2; exit 3', { upstream: 'run `login` first' }, /failed \(exit code 3\)/],
    ['prints no JSON', {}, 'echo hello', {}, /not an ExecCredential/],
    ['prints another version', {}, printToken('x').replace(API, 'client.authentication.k8s.io/v1alpha1'), {}, /not an ExecCredential of/],
    ['prints nothing of use', {}, `printf '{"apiVersion":"${API}","kind":"ExecCredential","status":{}}'`, {}, /printed no credential/],
    ['wants a person', { interactiveMode: 'Always' }, printToken('x'), {}, /wants to ask a person/],
    ['is too old', { apiVersion: 'client.authentication.k8s.io/v1alpha1' }, printToken('x'), {}, /not supported/],
  ])('that %s is told with its setting', async (_, exec, script, details, words) => {
    const plugin = await makePlugin(script);
    const error = await failureOf(ask(await withPlugin({ command: plugin.command, ...exec })));
    expect(error).toMatchObject({ code: 'UNAUTHENTICATED', details: { setting: 'users[u].user.exec', ...details } });
    expect(error.message).toMatch(words);
  });

  it('leave a caller who cancels free, and serve the others', async () => {
    const at = await makeFolder();
    execFileSync('mkfifo', [join(at, 'gate')]);
    const plugin = await makePlugin(`cat '${at}/gate' > /dev/null\n${printToken('late')}`);
    const upstream = await withPlugin({ command: plugin.command });
    const controller = new AbortController();
    const leaving = failureOf(upstream.json({ path: '/', signal: controller.signal }));
    const staying = ask(upstream);
    controller.abort();
    expect((await leaving).code).toBe('CANCELLED');
    await writeFile(join(at, 'gate'), 'go');
    expect(await staying).toMatchObject({ token: 'Bearer late' });
    expect(await plugin.runs()).toBe(1);
  });

  it('are not asked when the file has a token of its own', async () => {
    const plugin = await makePlugin(printToken('x'));
    expect(await ask(await open({ user: { token: 'own', exec: { apiVersion: API, command: plugin.command } } }))).toMatchObject({
      token: 'Bearer own',
    });
    expect(await plugin.runs()).toBe(0);
  });
});

const track = (sockets: Set<Socket>, socket: Socket) => {
  sockets.add(socket);
  socket.on('error', () => {});
};

const splice = (a: Socket, b: Socket) => {
  a.pipe(b).pipe(a);
};

const startHttpProxy = async () => {
  const targets: string[] = [];
  const sockets = new Set<Socket>();
  const proxy = createPlainServer();
  proxy.on('connect', (request, socket: Socket) => {
    targets.push(request.url ?? '');
    const [host = '', to = ''] = (request.url ?? '').split(':');
    const onward = connectSocket(Number(to), host, () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      splice(socket, onward);
    });
    track(sockets, socket);
    track(sockets, onward);
  });
  await once(proxy.listen(0, '127.0.0.1'), 'listening');
  closing.push(() => {
    for (const socket of sockets) socket.destroy();
    proxy.close();
  });
  return { targets, port: (proxy.address() as AddressInfo).port };
};

/** RFC 1928 without authentication, CONNECT to an IPv4 address. */
const startSocksProxy = async () => {
  const targets: string[] = [];
  const sockets = new Set<Socket>();
  const proxy = createSocketServer((socket) => {
    track(sockets, socket);
    socket.once('data', () => {
      socket.write(Buffer.from([5, 0]));
      socket.once('data', (request: Buffer) => {
        const host = [...request.subarray(4, 8)].join('.');
        const to = request.readUInt16BE(8);
        targets.push(`${host}:${to}`);
        const onward = connectSocket(to, host, () => {
          socket.write(Buffer.from([5, 0, 0, 1, 0, 0, 0, 0, 0, 0]));
          splice(socket, onward);
        });
        track(sockets, onward);
      });
    });
  });
  await once(proxy.listen(0, '127.0.0.1'), 'listening');
  closing.push(() => {
    for (const socket of sockets) socket.destroy();
    proxy.close();
  });
  return { targets, port: (proxy.address() as AddressInfo).port };
};
