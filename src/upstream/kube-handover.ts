// A cluster handed to another program: a kubeconfig of one context with the credentials as they are now. The program runs no plugin of its own and
// reads no other file.
import { AppError } from '../kit/errors.ts';
import { createCredentials } from './kube-credentials.ts';
import { definitionOf, type KubeTarget } from './kube-snapshot.ts';
import type { Impersonation } from './kubeconfig.ts';
import type { Clock } from './ports.ts';
import { type Environment, findProxy } from './proxy.ts';

export interface HandoverOptions {
  readonly impersonate?: Impersonation | undefined;
  readonly env: Environment;
  readonly now: Clock;
  readonly learnSecret: (value: string) => void;
  readonly signal: AbortSignal;
}

const base64 = (text: string | Buffer): string => Buffer.from(text).toString('base64');

const toLogin = (authorization: unknown): Readonly<Record<string, string>> => {
  const [, scheme, value = ''] = /^(Bearer|Basic) (.*)$/.exec(typeof authorization === 'string' ? authorization : '') ?? [];
  if (scheme === 'Bearer') return { token: value };
  if (scheme !== 'Basic') return {};
  const [username = '', ...password] = Buffer.from(value, 'base64').toString().split(':');
  return { username, password: password.join(':') };
};

const toActing = ({ user, uid, groups = [], extra = {} }: Impersonation): Readonly<Record<string, unknown>> => ({
  as: user,
  ...(uid === undefined ? {} : { 'as-uid': uid }),
  ...(groups.length === 0 ? {} : { 'as-groups': groups }),
  ...(Object.keys(extra).length === 0 ? {} : { 'as-user-extra': extra }),
});

/** JSON, which is YAML. Holds secrets: for a file that only its owner may read, and that goes when the program has ended. */
export const toHandoverKubeconfig = async (target: KubeTarget, options: HandoverOptions): Promise<string> => {
  const { cluster, user } = definitionOf(target);
  const { env, now, learnSecret, signal } = options;
  const credentials = createCredentials({ cluster, user, userName: target.user, env, now, learnSecret });
  const headers = await credentials.headers(signal, { fresh: false });
  const tls = cluster.server.startsWith('https:') ? await credentials.tls(signal, { fresh: false }) : {};
  const login = toLogin(headers['authorization']);
  if (!cluster.server.startsWith('https:') && Object.keys(login).length > 0)
    throw new AppError('UNSUPPORTED', 'The address of this cluster is plain HTTP, over which Helm and kubectl send no login.', {
      details: { service: 'kubernetes', needs: 'an https address in the kubeconfig' },
    });
  const acting = options.impersonate ?? user.impersonate;
  const proxy = cluster.proxyUrl ?? findProxy(cluster.server, env);
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'target',
    contexts: [{ name: 'target', context: { cluster: 'target', user: 'target' } }],
    clusters: [
      {
        name: 'target',
        cluster: {
          server: cluster.server,
          ...(tls.ca === undefined || cluster.insecure ? {} : { 'certificate-authority-data': base64(tls.ca) }),
          ...(cluster.insecure ? { 'insecure-skip-tls-verify': true } : {}),
          ...(cluster.tlsServerName === undefined ? {} : { 'tls-server-name': cluster.tlsServerName }),
          ...(proxy === undefined ? {} : { 'proxy-url': proxy }),
        },
      },
    ],
    users: [
      {
        name: 'target',
        user: {
          ...login,
          ...(tls.cert === undefined ? {} : { 'client-certificate-data': base64(tls.cert) }),
          ...(tls.key === undefined ? {} : { 'client-key-data': base64(tls.key) }),
          ...(acting === undefined ? {} : toActing(acting)),
        },
      },
    ],
  });
};
