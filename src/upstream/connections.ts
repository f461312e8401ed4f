// The keep-alive connections to one backend. undici is loaded with the first request, not with the program.
import type { Dispatcher } from 'undici';

/** PEM texts, and how the server proves who it is. */
export interface TlsOptions {
  readonly ca?: string | Buffer | undefined;
  readonly cert?: string | Buffer | undefined;
  readonly key?: string | Buffer | undefined;
  readonly servername?: string | undefined;
  readonly rejectUnauthorized?: boolean | undefined;
}

export interface Connections {
  /** The pool for these certificates. Another object than last time opens a new pool; the old one ends with its last request. */
  use(tls: TlsOptions | undefined): Promise<Dispatcher>;
  /** Destroys every socket, those of running requests too. */
  destroy(): Promise<void>;
}

export interface ConnectionOptions {
  readonly origin: string;
  readonly maxConnections: number;
  readonly proxy: string | undefined;
}

/** Most servers and balancers keep an idle connection for a minute or more; a shorter wait here means that we close first. */
const IDLE_MS = 30_000;
const CONNECT_MS = 10_000;

export const createConnections = (options: ConnectionOptions): Connections => {
  const open = new Set<Dispatcher>();
  let current: { tls: TlsOptions | undefined; pool: Promise<Dispatcher> } | undefined;
  let destroyed = false;

  const retire = async (pool: Promise<Dispatcher>) => {
    const old = await pool;
    await old.close().catch(() => {});
    open.delete(old);
  };
  const start = async (tls: TlsOptions | undefined) => {
    const pool = await openPool(options, tls);
    if (destroyed) await pool.destroy();
    else open.add(pool);
    return pool;
  };
  return {
    use: (tls) => {
      if (current !== undefined && current.tls === tls) return current.pool;
      if (current !== undefined) retire(current.pool).catch(() => {});
      const pool = start(tls);
      current = { tls, pool };
      // A pool that could not be opened (unreadable key) must not be remembered.
      pool.catch(() => {
        if (current?.pool === pool) current = undefined;
      });
      return pool;
    },
    destroy: async () => {
      destroyed = true;
      current = undefined;
      const all = [...open];
      open.clear();
      await Promise.all(all.map((pool) => pool.destroy()));
    },
  };
};

const openPool = async ({ origin, maxConnections, proxy }: ConnectionOptions, tls: TlsOptions | undefined): Promise<Dispatcher> => {
  const { Pool, ProxyAgent } = await import('undici');
  const security = toConnectOptions(tls);
  const shared = {
    connections: maxConnections,
    pipelining: 1,
    // HTTP/1.1: an aborted call closes exactly its own socket, and upgrades work on the same pool.
    allowH2: false,
    keepAliveTimeout: IDLE_MS,
    // Time is kept by the call's own deadline.
    headersTimeout: 0,
    bodyTimeout: 0,
  };
  if (proxy === undefined) return new Pool(origin, { ...shared, connect: { ...security, timeout: CONNECT_MS } });
  return new ProxyAgent({ ...shared, uri: proxy, connectTimeout: CONNECT_MS, requestTls: { ...security, timeout: CONNECT_MS } });
};

const toConnectOptions = ({ ca, cert, key, servername, rejectUnauthorized = true }: TlsOptions = {}) => ({
  ...(ca === undefined ? {} : { ca }),
  ...(cert === undefined ? {} : { cert }),
  ...(key === undefined ? {} : { key }),
  ...(servername === undefined ? {} : { servername }),
  rejectUnauthorized,
});
