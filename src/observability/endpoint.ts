// Where telemetry goes and how: the configured endpoint, else what the standard OTEL_* variables say.

import type { ObservabilityConfig } from './index.ts';

type Environment = Readonly<Record<string, string | undefined>>;
export type Signal = 'traces' | 'metrics';

export interface Endpoint {
  readonly protocol: 'http' | 'grpc';
  /** http: the URL of the signal; grpc: a URL whose scheme says whether TLS is used. */
  readonly url: string;
}

const SCHEME = /^([a-z]+):\/\//i;
const HTTP_PORT = /:4318(?:\/|$)/;

/** OTLP over HTTP for `http://` and for port 4318; over gRPC for `host:port` and for other `https://` addresses on port 4317. */
const toProtocol = (endpoint: string): Endpoint['protocol'] => {
  if (HTTP_PORT.test(endpoint) || /^http:/i.test(endpoint)) return 'http';
  return /^https:/i.test(endpoint) && !/:4317(?:\/|$)/.test(endpoint) ? 'http' : 'grpc';
};

const withScheme = (endpoint: string, insecure: boolean): string =>
  SCHEME.test(endpoint) ? endpoint : `${insecure ? 'http' : 'https'}://${endpoint}`;

/** The path of a signal below a base address (OTLP specification, section OTLP/HTTP request). */
const toSignalUrl = (base: string, signal: Signal): string => `${base.replace(/\/+$/, '')}/v1/${signal}`;

const fromConfig = ({ endpoint, insecure }: ObservabilityConfig['otel'], signal: Signal): Endpoint => {
  const protocol = toProtocol(endpoint);
  const address = withScheme(endpoint, insecure);
  return { protocol, url: protocol === 'http' ? toSignalUrl(address, signal) : address };
};

const fromEnvironment = (env: Environment, signal: Signal, insecure: boolean): Endpoint | undefined => {
  const own = env[`OTEL_EXPORTER_OTLP_${signal.toUpperCase()}_ENDPOINT`];
  const endpoint = own ?? env['OTEL_EXPORTER_OTLP_ENDPOINT'];
  if (endpoint === undefined || endpoint === '') return undefined;
  const named = env[`OTEL_EXPORTER_OTLP_${signal.toUpperCase()}_PROTOCOL`] ?? env['OTEL_EXPORTER_OTLP_PROTOCOL'];
  const protocol = named === undefined ? toProtocol(endpoint) : named === 'grpc' ? 'grpc' : 'http';
  const address = withScheme(endpoint, insecure || env['OTEL_EXPORTER_OTLP_INSECURE'] === 'true');
  return { protocol, url: protocol === 'http' && own === undefined ? toSignalUrl(address, signal) : address };
};

export const toEndpoint = (
  otel: ObservabilityConfig['otel'],
  { signal, given, env }: { signal: Signal; given: ReadonlySet<string>; env: Environment },
): Endpoint => (given.has('otel.endpoint') ? undefined : fromEnvironment(env, signal, otel.insecure)) ?? fromConfig(otel, signal);

/** `key=value,key=value`, values percent-encoded (OpenTelemetry resource SDK, OTEL_RESOURCE_ATTRIBUTES). */
const parseAttributes = (text: string): Record<string, string> =>
  Object.fromEntries(
    text.split(',').flatMap((pair) => {
      const at = pair.indexOf('=');
      if (at <= 0) return [];
      const value = pair.slice(at + 1).trim();
      return [[pair.slice(0, at).trim(), safeDecode(value)]];
    }),
  );

const safeDecode = (text: string): string => {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
};

/** What all telemetry of this process says about itself. */
export const toResourceAttributes = (
  { serviceName, serviceVersion, environment }: ObservabilityConfig['otel'],
  { given, env, version }: { given: ReadonlySet<string>; env: Environment; version: string },
): Record<string, string> => {
  const standard = parseAttributes(env['OTEL_RESOURCE_ATTRIBUTES'] ?? '');
  const choose = (key: string, configured: string, fallback: string | undefined): string =>
    given.has(key) ? configured : (fallback ?? configured);
  return {
    ...standard,
    'service.name': choose('otel.serviceName', serviceName, env['OTEL_SERVICE_NAME'] ?? standard['service.name']),
    'service.version': choose('otel.serviceVersion', serviceVersion ?? version, standard['service.version']),
    'deployment.environment.name': choose('otel.environment', environment, standard['deployment.environment.name']),
  };
};

/** Share of new traces that are kept, 0 to 1. */
export const toSampleRate = (rate: number, { given, env }: { given: ReadonlySet<string>; env: Environment }): number => {
  if (given.has('otel.tracing.sampleRate')) return rate;
  const sampler = env['OTEL_TRACES_SAMPLER'];
  if (sampler === undefined) return rate;
  if (sampler.endsWith('always_off')) return 0;
  if (!sampler.endsWith('traceidratio')) return 1;
  const ratio = Number(env['OTEL_TRACES_SAMPLER_ARG'] ?? 1);
  return ratio >= 0 && ratio <= 1 ? ratio : 1;
};
