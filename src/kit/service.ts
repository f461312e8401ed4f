// defineService(): a service is data and one small client. The manager sees the six methods of Service and nothing else.

import type { z } from 'zod';
import type { CallContext, Logger } from './context.ts';
import type { ClusterStatus, Health } from './directory.ts';
import { AppError } from './errors.ts';
import type { Inverse } from './plan.ts';
import type { Answer } from './result.ts';
import type { SecretSource } from './secret.ts';
import type { Signals } from './signals.ts';
import type { Tool, ToolInfo } from './tool.ts';
import type { Tracing } from './trace.ts';

/** Tells connected clients that something changed. */
export interface Notify {
  listChanged(list: 'tools' | 'prompts' | 'resources'): void;
  resourceUpdated(uri: string): void;
}

export interface CircuitChange {
  readonly service: string;
  /** The target. */
  readonly name: string;
  readonly state: 'closed' | 'open' | 'half_open';
  /** Failures counted since the last change that was told. */
  readonly failures: number;
}

/** What a service gets from the outside: nothing is reached for. */
export interface ServiceDeps {
  readonly logger: Logger;
  readonly now: () => number;
  /** The environment as the configuration room hands it on (KUBECONFIG and the like). */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Keyed fingerprint of a secret value, so that two can be compared. */
  readonly fingerprint: (value: string) => string;
  /** Tells the redactor about a secret value that was seen; it is masked wherever it reappears. `own`: a login of this server, never forgotten for others. */
  readonly learnSecret: (value: string, options?: { readonly own?: boolean }) => void;
  /** Masks known secret values in neighbouring lines of one text, also those that are split over two. Answers are masked anyway: this is for text that is searched, counted or cut before. */
  readonly maskLines: (lines: readonly string[]) => string[];
  readonly notify: Notify;
  /** Another section of the configuration, as its own service parses it: Helm reaches clusters as `kubernetes` says. */
  readonly section: (name: string) => unknown;
  /**
   * A secret of the configuration by its key (`grafana.apiKey`): a value, or a reference that is followed. Read it with every request, so that
   * a rotation needs no restart.
   */
  readonly secret: (key: string, value: string) => SecretSource;
  /** One finished request to a backend, for metrics. */
  readonly onUpstreamCall?: (call: { service: string; api: string; status: string; ms: number }) => void;
  /** A circuit breaker changed its state or counted a failure; `name` is the target. */
  readonly onCircuit?: (change: CircuitChange) => void;
  /** Absent = no traces. */
  readonly tracing?: Tracing | undefined;
}

/** A resource template: data, and the tool call that answers it. */
export interface ResourceTemplate {
  /** RFC 6570 template, levels 1 and 3 (`{name}`, `{?query}`). */
  readonly uriTemplate: string;
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly mimeType: string;
  readonly tool: string;
  /** Turns the variables into arguments of the tool. */
  toArguments(variables: Readonly<Record<string, string>>): Record<string, unknown>;
}

/** A resource with a fixed URI. */
export type FixedResource = Omit<ResourceTemplate, 'uriTemplate'> & { readonly uri: string };

export interface PromptArgument {
  readonly name: string;
  readonly description: string;
  readonly required?: boolean;
}

/** A text playbook that names exact tools and arguments. */
export interface Prompt {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly arguments: readonly PromptArgument[];
  /** Tools it names; it is listed only where all of them are. */
  readonly tools: readonly string[];
  readonly aliases?: readonly string[];
  /** The playbook; protocol fixtures may return a whole result instead. */
  text(args: Readonly<Record<string, string>>, protocol: unknown): string | object;
}

/** Suggests values for a prompt argument or template variable, at most 100, with the caller's rights. */
export type Completer<Client> = (
  prefix: string,
  known: Readonly<Record<string, string>>,
  client: Client,
  ctx: CallContext,
) => Promise<readonly string[]>;

/** Data of a service beside its six methods. */
export interface ServiceParts {
  readonly title: string;
  /** The lists of this service can change while it runs. */
  readonly dynamic: boolean;
  readonly resources: readonly FixedResource[];
  readonly templates: readonly ResourceTemplate[];
  readonly prompts: readonly Prompt[];
  complete(
    argument: string,
    prefix: string,
    known: Readonly<Record<string, string>>,
    ctx: CallContext,
  ): Promise<readonly string[] | undefined>;
  /** Plans a recorded change of one of its tools backwards. */
  inverse(tool: string, undo: unknown, ctx: CallContext): Promise<Inverse>;
  /** The environments that `cluster` may name, with their state. */
  clusters?(signal: AbortSignal): Promise<readonly ClusterStatus[]>;
  readonly signals: Partial<{ [Key in keyof Signals<never>]: (...args: readonly unknown[]) => Promise<readonly unknown[]> }>;
}

/** What the manager sees of a service. */
export interface Service {
  readonly name: string;
  initialize(config: unknown): Promise<void>;
  getTools(): readonly ToolInfo[];
  /** Parses the arguments of a tool; throws INVALID_ARGUMENT. The steps of a call see the parsed form. */
  parseArguments(name: string, raw: unknown): Readonly<Record<string, unknown>>;
  callTool(name: string, args: Readonly<Record<string, unknown>>, ctx: CallContext): Promise<Answer>;
  healthCheck(signal: AbortSignal): Promise<Health>;
  shutdown(): Promise<void>;
  readonly parts: ServiceParts;
}

export interface ServiceDefinition<Config = unknown> {
  readonly name: string;
  readonly title: string;
  readonly config: z.ZodType<Config>;
  create(deps: ServiceDeps): Service;
}

export interface ServiceSource<Config, Client> {
  readonly name: string;
  readonly title: string;
  readonly config: z.ZodType<Config>;
  readonly tools: readonly Tool<Client>[];
  /** Builds the client; must not wait for the backend. */
  connect(config: Config, deps: ServiceDeps): Client | Promise<Client>;
  /** Asks the backend whether it works, with the configured credentials. */
  ping(client: Client, signal: AbortSignal): Promise<Health>;
  close?(client: Client): Promise<void>;
  clusters?(client: Client, signal: AbortSignal): Promise<readonly ClusterStatus[]>;
  readonly dynamic?: boolean;
  readonly resources?: readonly FixedResource[];
  readonly templates?: readonly ResourceTemplate[];
  readonly prompts?: readonly Prompt[];
  readonly completions?: Readonly<Record<string, Completer<Client>>>;
  readonly signals?: Signals<Client>;
}

const createService = <Config, Client>(source: ServiceSource<Config, Client>, deps: ServiceDeps): Service => {
  const tools = new Map(source.tools.map((tool) => [tool.name, tool]));
  let open: { readonly client: Client } | undefined;
  const toClient = (): Client => {
    if (open === undefined) {
      throw new AppError('SERVICE_UNAVAILABLE', `${source.title} is not started.`, {
        details: { service: source.name, retry_after: '5s' },
      });
    }
    return open.client;
  };
  const toTool = (name: string): Tool<Client> => {
    const found = tools.get(name);
    if (found === undefined) throw new AppError('INVALID_ARGUMENT', `Unknown tool: ${name}`, { details: { argument: 'name' } });
    return found;
  };
  const { signals = {} } = source;
  return {
    name: source.name,
    async initialize(config) {
      const parsed = source.config.safeParse(config);
      if (!parsed.success) {
        const [issue] = parsed.error.issues;
        const key = [source.name, ...(issue?.path ?? [])].map(String).join('.');
        throw new AppError('INVALID_ARGUMENT', `Configuration ${key}: ${issue?.message ?? 'not valid'}`, { details: { key } });
      }
      open = { client: await source.connect(parsed.data, deps) };
    },
    getTools: () => source.tools,
    parseArguments: (name, raw) => toTool(name).parse(raw),
    callTool: async (name, args, ctx) => toTool(name).run(args, toClient(), ctx),
    healthCheck: async (signal) => source.ping(toClient(), signal),
    async shutdown() {
      const closing = open;
      open = undefined;
      if (closing !== undefined) await source.close?.(closing.client);
    },
    parts: {
      title: source.title,
      dynamic: source.dynamic ?? false,
      resources: source.resources ?? [],
      templates: source.templates ?? [],
      prompts: source.prompts ?? [],
      complete: async (argument, prefix, known, ctx) => {
        const completer = source.completions?.[argument];
        return completer === undefined ? undefined : completer(prefix, known, toClient(), ctx);
      },
      inverse: async (name, undo, ctx) => {
        const { inverse } = toTool(name);
        if (inverse === undefined) throw new AppError('UNSUPPORTED', `${name} changes nothing that could be undone.`);
        return inverse(undo, toClient(), ctx);
      },
      ...(source.clusters === undefined ? {} : { clusters: async (signal: AbortSignal) => source.clusters?.(toClient(), signal) ?? [] }),
      signals: Object.fromEntries(
        Object.entries(signals).map(([key, ask]) => [
          key,
          (...args: readonly unknown[]) => Reflect.apply(ask, signals, [...args.slice(0, -1), toClient(), args.at(-1)]),
        ]),
      ),
    },
  };
};

/** Declares a service. `create` makes one live instance. */
export const defineService = <Config, Client>(
  source: ServiceSource<Config, Client>,
): ServiceDefinition<Config> & { readonly tools: readonly Tool<Client>[] } => ({
  name: source.name,
  title: source.title,
  config: source.config,
  tools: source.tools,
  create: (deps) => createService(source, deps),
});
