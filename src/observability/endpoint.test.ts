import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { observabilityConfig } from './config.ts';
import { toEndpoint, toResourceAttributes, toSampleRate } from './endpoint.ts';

const { otel: defaults } = z.object(observabilityConfig).parse({});
const find = (otel: Partial<typeof defaults>, env: Record<string, string> = {}, signal: 'traces' | 'metrics' = 'traces') =>
  toEndpoint({ ...defaults, ...otel }, { signal, env, given: new Set(otel.endpoint === undefined ? [] : ['otel.endpoint']) });

describe('the endpoint', () => {
  it.each([
    ['localhost:4317', false, 'grpc', 'https://localhost:4317'],
    ['localhost:4317', true, 'grpc', 'http://localhost:4317'],
    ['https://collector.example:4317', false, 'grpc', 'https://collector.example:4317'],
    ['localhost:4318', true, 'http', 'http://localhost:4318/v1/traces'],
    ['http://collector:1234/base/', false, 'http', 'http://collector:1234/base/v1/traces'],
    ['https://collector.example/otlp', false, 'http', 'https://collector.example/otlp/v1/traces'],
  ])('%s (insecure %s) is %s at %s', (endpoint, insecure, protocol, url) => {
    expect(find({ endpoint, insecure })).toEqual({ protocol, url });
  });

  it('comes from the standard variables where none is configured, the one of the signal first', () => {
    const env = {
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://a:4318',
      OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: 'http://b:9090/api/v1/otlp/v1/metrics',
    };
    expect(find({}, env).url).toBe('http://a:4318/v1/traces');
    expect(find({}, env, 'metrics').url).toBe('http://b:9090/api/v1/otlp/v1/metrics');
    expect(find({ endpoint: 'http://c:4318' }, env).url).toBe('http://c:4318/v1/traces');
    expect(find({}, { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://a:4317', OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' })).toEqual({
      protocol: 'grpc',
      url: 'http://a:4317',
    });
  });
});

describe('the resource', () => {
  it('prefers what was configured, then OTEL_SERVICE_NAME, then OTEL_RESOURCE_ATTRIBUTES, then our defaults', () => {
    const env = { OTEL_SERVICE_NAME: 'by-variable', OTEL_RESOURCE_ATTRIBUTES: 'service.name=x,team=a%20b,broken,=none,bad=%zz' };
    const names = (given: readonly string[], variables: Record<string, string>) =>
      toResourceAttributes(defaults, { given: new Set(given), env: variables, version: '9' });
    expect(names([], env)).toEqual({
      'service.name': 'by-variable',
      team: 'a b',
      bad: '%zz',
      'service.version': '9',
      'deployment.environment.name': 'production',
    });
    expect(names(['otel.serviceName'], env)['service.name']).toBe('cloud-native-mcp-server');
    expect(names([], {})['service.name']).toBe('cloud-native-mcp-server');
  });
});

describe('the share of kept traces', () => {
  it.each([
    [{}, 0.1],
    [{ OTEL_TRACES_SAMPLER: 'always_on' }, 1],
    [{ OTEL_TRACES_SAMPLER: 'parentbased_always_off' }, 0],
    [{ OTEL_TRACES_SAMPLER: 'parentbased_traceidratio', OTEL_TRACES_SAMPLER_ARG: '0.25' }, 0.25],
    [{ OTEL_TRACES_SAMPLER: 'traceidratio', OTEL_TRACES_SAMPLER_ARG: 'much' }, 1],
  ])('%j gives %d', (env, share) => {
    expect(toSampleRate(0.1, { given: new Set(), env })).toBe(share);
    expect(toSampleRate(0.5, { given: new Set(['otel.tracing.sampleRate']), env })).toBe(0.5);
  });
});
