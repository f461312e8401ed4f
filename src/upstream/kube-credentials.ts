// Who we are towards one API server: certificates, tokens and plugins of a kubeconfig user, re-read where they rotate.
import { readFile } from 'node:fs/promises';
import { AppError } from '../kit/errors.ts';
import type { HeaderValues, Provider, TlsOptions } from './http.ts';
import { createExecPlugin, type ExecPlugin } from './kube-exec.ts';
import type { ClusterEntry, Impersonation, Material, UserEntry } from './kubeconfig.ts';
import type { Clock } from './ports.ts';
import type { Environment } from './proxy.ts';
import { toFields, toText } from './shapes.ts';

export interface Credentials {
  readonly headers: Provider<HeaderValues>;
  /** The same object as long as nothing has changed, so that connections are kept. */
  readonly tls: Provider<TlsOptions>;
}

export interface CredentialOptions {
  readonly cluster: ClusterEntry;
  readonly user: UserEntry;
  /** Where the user stands in the file: for messages. */
  readonly userName: string;
  readonly env: Environment;
  readonly now: Clock;
  /** Told of every token, password and key before it is used, so that it is masked where a backend repeats it. */
  readonly learnSecret?: ((value: string) => void) | undefined;
}

type Read = (path: string, how: { setting: string; fresh: boolean }) => Promise<string>;

/** Rotated files (service-account tokens, certificates) are read again after this. */
const FILE_AGE_MS = 60_000;

export const createCredentials = ({ cluster, user, userName, env, now, learnSecret }: CredentialOptions): Credentials => {
  const read = createFileMemory(now);
  const setting = (key: string) => `users[${userName}].user.${key}`;
  const readCa = (fresh: boolean) => readMaterial(cluster.ca, { setting: 'certificate-authority', fresh, read });
  // As in kubectl, a token or password in the file makes its plugin needless.
  const hasOwnLogin = user.token !== undefined || user.tokenFile !== undefined || user.username !== undefined;
  const plugin: ExecPlugin | undefined =
    user.exec === undefined || hasOwnLogin
      ? undefined
      : createExecPlugin({ exec: user.exec, cluster, setting: setting('exec'), env, now, readCa: () => readCa(false) });
  const impersonation = user.impersonate === undefined ? {} : toImpersonationHeaders(user.impersonate);
  let told: string | undefined;
  const tell = (secret: string | undefined): void => {
    if (secret === undefined || secret === told) return;
    told = secret;
    learnSecret?.(secret);
  };
  const bearer = (token: string | undefined): HeaderValues => {
    tell(token);
    return token === undefined ? {} : { authorization: `Bearer ${token}` };
  };
  const login = async (signal: AbortSignal, { fresh }: { fresh: boolean }): Promise<HeaderValues> => {
    if (user.tokenFile !== undefined) return bearer(await read(user.tokenFile, { setting: setting('tokenFile'), fresh }));
    if (user.token !== undefined) return bearer(user.token);
    if (user.username !== undefined) {
      tell(user.password);
      return { authorization: `Basic ${Buffer.from(`${user.username}:${user.password ?? ''}`).toString('base64')}` };
    }
    if (plugin !== undefined) return bearer((await plugin.get(signal, { fresh })).token);
    if (user.authProvider !== undefined) return bearer(toIdToken(user.authProvider, { setting: setting('auth-provider'), now }));
    return {};
  };
  let tls: TlsOptions | undefined;
  return {
    headers: async (signal, how) => ({ ...(await login(signal, how)), ...impersonation }),
    tls: async (signal, { fresh }) => {
      const own = await plugin?.get(signal, { fresh });
      const [ca, cert, key] = await Promise.all([
        readCa(fresh),
        own?.cert ?? readMaterial(user.cert, { setting: setting('client-certificate'), fresh, read }),
        own?.key ?? readMaterial(user.key, { setting: setting('client-key'), fresh, read }),
      ]);
      if (tls === undefined || tls.ca !== ca || tls.cert !== cert || tls.key !== key) {
        if (key !== undefined) learnSecret?.(key);
        tls = { ca, cert, key, servername: cluster.tlsServerName, rejectUnauthorized: !cluster.insecure };
      }
      return tls;
    },
  };
};

/** Header names carry extra keys percent-encoded (`Impersonate-Extra-acme.com%2Fproject`). */
export const toImpersonationHeaders = ({ user, uid, groups = [], extra = {} }: Impersonation): HeaderValues => ({
  'impersonate-user': user,
  ...(uid === undefined ? {} : { 'impersonate-uid': uid }),
  ...(groups.length === 0 ? {} : { 'impersonate-group': groups }),
  ...Object.fromEntries(
    Object.entries(extra).map(([key, values]) => [`impersonate-extra-${encodeURIComponent(key).toLowerCase()}`, values]),
  ),
});

const readMaterial = async (
  { data, file }: Material,
  { read, ...how }: { setting: string; fresh: boolean; read: Read },
): Promise<string | undefined> => data ?? (file === undefined ? undefined : read(file, how));

const createFileMemory = (now: Clock): Read => {
  const known = new Map<string, { text: string; readAt: number }>();
  return async (path, { setting, fresh }) => {
    const memory = known.get(path);
    if (memory !== undefined && !fresh && now() - memory.readAt < FILE_AGE_MS) return memory.text;
    const text = await readFile(path, 'utf8').catch((error: unknown) => {
      // While a file is being replaced it may be away for a moment.
      if (memory !== undefined) return memory.text;
      throw new AppError('UNAUTHENTICATED', `The file of the kubeconfig setting ${setting} cannot be read.`, {
        details: { service: 'kubernetes', setting },
        cause: error,
      });
    });
    known.set(path, { text: text.trim(), readAt: now() });
    return text.trim();
  };
};

/**
 * The id-token of an OIDC auth-provider while it is valid. It is never renewed here: issuers rotate refresh tokens, and the new one would
 * have to be written into the operator's file.
 */
const toIdToken = ({ name, config }: { name: string; config: unknown }, { setting, now }: { setting: string; now: Clock }): string => {
  const fail = (problem: string) =>
    new AppError('UNAUTHENTICATED', `The auth-provider ${name} of the kubeconfig ${problem}`, {
      details: { service: 'kubernetes', setting },
    });
  if (name !== 'oidc') throw fail('was removed from Kubernetes 1.26: use the exec plugin of your provider.');
  const token = toText(toFields(config)['id-token']);
  if (token === undefined) throw fail('has no id-token: log in with kubectl once, or use an exec plugin.');
  const expiry = toFields(parsePayload(token))['exp'];
  if (typeof expiry === 'number' && expiry * 1000 <= now())
    throw fail('has an expired id-token: any kubectl command renews it, or use an exec plugin.');
  return token;
};

const parsePayload = (token: string): unknown => {
  try {
    return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
  } catch {
    return undefined;
  }
};
