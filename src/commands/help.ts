// --help and --version.

import { NAME, TITLE, VERSION } from '../version.ts';

const SETTINGS_HELP = `Settings (each is also a key of the configuration file and an environment variable; see docs/configuration.md)
  --config FILE        YAML configuration (MCP_CONFIG)
  --kubeconfig FILE    kubeconfig; else KUBECONFIG, ~/.kube/config, the in-cluster account
  --profile NAMES      what is listed: core (default), all, observability, delivery, or services by name
  --allow-writes       offer tools that change state (each change is planned and shown first)
  --allow-destructive  offer delete, drain and exec too
  --log-level LEVEL    debug, info (default), warn, error; logs go to stderr
`;

export const HELP = `${TITLE} ${VERSION}: Kubernetes and the tools around it, for people and AI agents.

Usage: ${NAME} [command] [flags]

  serve     speak MCP; without --addr or --mode on stdin and stdout (this is what clients start)
  tools     list the tools and what they cost a model
  call      call one tool:  ${NAME} call kubernetes_list_resources --kind pods --namespace shop
  doctor    what is configured, reachable and allowed
  demo      an embedded cluster with an incident in it, and a walk through it
  secrets   make API keys, and hashes of keys and passwords
  config    validate, print, schema, migrate, and policy test: a configuration without a server
  audit     the stored records of calls, and whether their chain is intact
  help      this text; "${NAME} <command> --help" tells more

${SETTINGS_HELP}`;

export const SERVE_HELP = `Usage: ${NAME} [serve] [flags]

  --mode MODE          stdio (default), sse, streamable-http, http
  --addr HOST:PORT     listen address, default 127.0.0.1:8080; without --mode it means sse, which serves every HTTP family
  --read-timeout SEC   header and body read limit
  --write-timeout SEC  longest time for an answer that is no stream
  --idle-timeout SEC   keep-alive idle time
  --validate-config    check the configuration and its backends, and end (as: config validate)
  --list WHAT          services or tools, and end; --output text|json|table|csv, --service NAME, --verbose

${SETTINGS_HELP}
Endpoints over HTTP: /mcp (the profile), /api/<service>/streamable-http, /api/<service>/http, /api/<service>/sse, /api/aggregate/...,
/health, /ready, /health/detailed
`;

/** @returns the exit code */
export const run = async (argv: readonly string[]): Promise<number> => {
  const isVersion = argv[0] === '--version' || argv[0] === '-v';
  process.stdout.write(isVersion ? `${NAME} ${VERSION}\n` : HELP);
  return 0;
};
