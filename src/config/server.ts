// The server's own configuration keys. Every service owns its section; config/load.ts joins them.

import { z } from 'zod';
import { address, described, live, names, secret, section } from '../kit/config.ts';

const paths = (family: string, env: string) =>
  described(
    z
      .record(z.string(), z.string().regex(/^\/[^\s?#%]*[^\s?#%/]$/, 'must be a path such as /api/kubernetes, without a slash at its end'))
      .default({}),
    `${env}_<SERVICE>`,
    `Route overrides of the ${family} family, per service or \`aggregate\`.`,
  );

export const MODES = ['stdio', 'sse', 'http', 'streamable-http'] as const;
export type Mode = (typeof MODES)[number];

/** Joined with the keys of other rooms that stand in this section. */
export const securityKeys = {
  allowUnauthenticated: described(
    z.boolean().default(false),
    'MCP_ALLOW_UNAUTHENTICATED',
    'Consent to a listener on a non-loopback address that anyone may use.',
  ),
  allowWrites: described(z.boolean().default(false), 'MCP_ALLOW_WRITES', 'Offer tools that change state.'),
  allowDestructive: described(z.boolean().default(false), 'MCP_ALLOW_DESTRUCTIVE', 'Offer delete, drain and exec too; needs allowWrites.'),
  signingKey: secret(
    'MCP_SIGNING_KEY',
    'Key for cursors, plans and request states, 32 characters or more; shared by replicas. Followed when it stands in a file, the cluster or Vault. Random per process when absent.',
  ),
  approval: section({
    write: described(z.enum(['call', 'elicit', 'deny']).default('call'), 'MCP_APPROVAL_WRITE', 'How a write plan is approved.'),
    delete: described(z.enum(['call', 'elicit', 'deny']).default('call'), 'MCP_APPROVAL_DELETE', 'How a delete plan is approved.'),
  }),
} as const;

export const serverConfig = {
  server: section({
    mode: described(z.enum(MODES).optional(), 'MCP_MODE', 'Transport. Default stdio, or sse when an address is given.'),
    addr: described(address.default('127.0.0.1:8080'), 'MCP_ADDR', 'Listen address, host:port. Loopback unless authentication is on.'),
    readTimeoutSec: described(z.int().min(0).max(3600).default(30), 'MCP_READ_TIMEOUT', 'Header and body read limit, seconds; 0 = none.'),
    writeTimeoutSec: described(
      z.int().min(0).max(3600).default(0),
      'MCP_WRITE_TIMEOUT',
      'Longest time for an answer that is no stream, seconds; 0 = none.',
    ),
    idleTimeoutSec: described(z.int().min(0).max(3600).default(60), 'MCP_IDLE_TIMEOUT', 'Keep-alive idle time, seconds.'),
    ssePaths: paths('sse', 'MCP_SSE_PATH'),
    streamableHttpPaths: paths('streamable-http', 'MCP_STREAMABLE_HTTP_PATH'),
    httpPaths: paths('http', 'MCP_HTTP_PATH'),
    cors: section({
      allowedOrigins: names('MCP_CORS_ALLOWED_ORIGINS', 'Browser origins that may call, such as https://console.example.com.'),
      allowedMethods: names('MCP_CORS_ALLOWED_METHODS', 'Methods that browsers may use beside GET, POST, DELETE and OPTIONS.'),
      allowedHeaders: names('MCP_CORS_ALLOWED_HEADERS', 'Request headers that browsers may send beside the built-in ones.'),
      maxAge: described(
        z.int().min(0).max(604_800).default(86_400),
        'MCP_CORS_MAX_AGE',
        'How long browsers may remember a preflight, seconds.',
      ),
    }),
    allowedHosts: names('MCP_ALLOWED_HOSTS', 'Host names accepted in the Host header; loopback names when bound to loopback.'),
    trustedProxies: names('MCP_TRUSTED_PROXIES', 'Networks (CIDR) whose X-Forwarded-* headers are believed.'),
    publicUrl: described(
      z.url({ protocol: /^https?$/ }).optional(),
      'MCP_PUBLIC_URL',
      'Address under which clients reach this server: base of OAuth metadata and audience of tokens. Else taken from the request.',
    ),
    tls: section({
      certFile: described(z.string().min(1).optional(), 'MCP_TLS_CERT_FILE', 'Certificate chain, PEM; re-read when it changes.'),
      keyFile: described(z.string().min(1).optional(), 'MCP_TLS_KEY_FILE', 'Its private key, PEM.'),
      clientCAFile: described(
        z.string().min(1).optional(),
        'MCP_TLS_CLIENT_CA_FILE',
        'Authorities of client certificates, PEM. Outside of auth.mode mtls every connection then needs such a certificate.',
      ),
    }),
    max_connections: described(z.int().min(1).default(1000), 'MCP_MAX_CONNECTIONS', 'Open sockets; streams are capped at half of it.'),
    maxBodyBytes: described(z.int().min(1024).default(4_194_304), 'MCP_MAX_BODY_BYTES', 'Largest request body; 413 above.'),
    shutdownGraceSec: described(
      z.int().min(0).max(600).default(15),
      'MCP_SHUTDOWN_GRACE',
      'Time for running calls to finish at shutdown, seconds.',
    ),
    legacySessions: described(
      z.boolean().default(false),
      'MCP_LEGACY_SESSIONS',
      'Sessions for clients of 2025 over Streamable HTTP; needs sticky routing.',
    ),
    admin: section({
      addr: described(address.optional(), 'MCP_ADMIN_ADDR', 'Separate listener for profiles, host:port; loopback only. Absent = none.'),
      heapSnapshots: described(
        z.boolean().default(false),
        'MCP_ADMIN_HEAP_SNAPSHOTS',
        'Offer heap snapshots on the admin listener. They hold everything the process knows, secrets too.',
      ),
    }),
  }),
  limits: section({
    concurrentCalls: live(
      described(
        z.int().min(1).max(10_000).default(32),
        'MCP_CONCURRENT_CALLS',
        'Calls of one caller that run at once; more wait their turn.',
      ),
    ),
    maxJsonDepth: described(z.int().min(8).max(1000).default(64), 'MCP_MAX_JSON_DEPTH', 'Deepest nesting of a request body; 413 above.'),
    maxJsonElements: described(
      z.int().min(100).max(10_000_000).default(100_000),
      'MCP_MAX_JSON_ELEMENTS',
      'Most values in a request body; 413 above.',
    ),
  }),
  changes: section({
    keepHours: described(z.int().min(1).max(720).default(24), 'MCP_CHANGES_KEEP_HOURS', 'How long a change can be undone, hours.'),
  }),
  enableDisable: section({
    enabledServices: names('MCP_ENABLED_SERVICES', 'Only these services; empty = all.'),
    disabledServices: names('MCP_DISABLED_SERVICES', 'Never these services; wins.'),
    enabledTools: names('MCP_ENABLED_TOOLS', 'Tools added to whatever the profile gives.'),
    disabledTools: names('MCP_DISABLED_TOOLS', 'Tools left out: names or prefix*.'),
  }),
  profiles: described(
    z.array(z.string().min(1)).min(1).default(['core']),
    'MCP_PROFILES',
    'What /mcp and stdio list: core, all, observability, delivery, or services.',
  ),
  definitions: section({
    form: described(
      z.enum(['auto', 'complete', 'lean']).default('auto'),
      'MCP_DEFINITIONS_FORM',
      'How much of each tool definition is sent.',
    ),
  }),
  output: section({
    maxTokens: live(described(z.int().min(200).default(4000), 'MCP_OUTPUT_MAX_TOKENS', 'Normal limit of one answer, tokens.')),
    maxTokensCeiling: live(
      described(z.int().min(200).default(20_000), 'MCP_OUTPUT_MAX_TOKENS_CEILING', 'What a call may ask for at most, tokens.'),
    ),
  }),
  timeouts: section({
    callSec: live(described(z.int().min(1).max(3600).default(60), 'MCP_CALL_TIMEOUT', 'Deadline of one tool call, seconds.')),
    maxCallSec: live(
      described(z.int().min(1).max(86_400).default(600), 'MCP_MAX_CALL_TIMEOUT', 'Upper bound for tools that wait, seconds.'),
    ),
  }),
  plugins: names('MCP_PLUGINS', 'Services from outside: package names or file paths, imported at start.'),
} as const;

/** Hosts that only this machine can reach. */
export const isLoopback = (host: string): boolean => host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);

/** Splits host:port; an empty host means all interfaces. */
export const parseAddress = (addr: string): { host: string; port: number } => {
  const at = addr.lastIndexOf(':');
  return { host: addr.slice(0, at).replace(/^\[|\]$/g, '') || '0.0.0.0', port: Number(addr.slice(at + 1)) };
};
