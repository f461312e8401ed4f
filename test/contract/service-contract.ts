// The suite that every service must pass. It says what is missing: names, hints, schemas, refusals, health, shutdown, abort, budget, secrets.

import { describe, expect, it } from 'vitest';
import { fitAnswer } from '../../src/kit/budget.ts';
import type { CallContext } from '../../src/kit/context.ts';
import { AppError } from '../../src/kit/errors.ts';
import { toWireInput } from '../../src/kit/schema.ts';
import type { Service, ServiceDefinition, ServiceDeps } from '../../src/kit/service.ts';
import { createRedactor } from '../../src/secrets/redactor.ts';

export interface ContractOptions {
  readonly definition: ServiceDefinition & {
    readonly tools: readonly { readonly name: string; readonly answer?: { parse(value: unknown): unknown } }[];
  };
  /** Configuration with a backend that works. */
  readonly config: () => unknown;
  /** Configuration with a backend that cannot be reached; undefined = the service has none. */
  readonly downConfig?: unknown;
  readonly wrongConfig: unknown;
  readonly env: () => Readonly<Record<string, string>>;
  /** Other sections of the configuration that it reads. */
  readonly section?: (name: string) => unknown;
  /** One good call per tool; a tool without one fails the suite. */
  readonly calls: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  /** Values planted in the backend that must appear in no answer. */
  readonly canaries: readonly string[];
  readonly context: (signal: AbortSignal) => CallContext;
}

const MAX_TOKENS = 4000;

const depsOf = (
  env: Readonly<Record<string, string>>,
  learnSecret: (value: string) => void = () => {},
  section: (name: string) => unknown = () => undefined,
): ServiceDeps => ({
  logger: { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} },
  now: Date.now,
  env,
  fingerprint: (value) => `hash-${value.length}`,
  learnSecret,
  maskLines: (lines) => [...lines],
  notify: { listChanged: () => {}, resourceUpdated: () => {} },
  section,
  secret: (name, value) => ({ name, current: async () => value, onChange: () => () => {} }),
});

const codeOf = (thrown: unknown): string => (thrown instanceof AppError ? thrown.code : String(thrown));

/** Runs the contract for one service. */
export const serviceContract = ({
  definition,
  config,
  downConfig,
  wrongConfig,
  env,
  section,
  calls,
  canaries,
  context,
}: ContractOptions): void => {
  // What the manager's redactor would mask.
  const redactor = createRedactor();
  const open = async (with_: unknown): Promise<Service> => {
    const service = definition.create(depsOf(env(), redactor.learn, section));
    await service.initialize(with_);
    return service;
  };
  const ask = async (service: Service, name: string, args: unknown, signal = new AbortController().signal) =>
    service.callTool(name, service.parseArguments(name, args), context(signal));
  const names = definition.tools.map(({ name }) => name);

  describe(`the contract of ${definition.name}`, () => {
    it('has a stable, lower-case name and tools that carry it (SEED-IFACE-01, SEED-IFACE-03)', () => {
      expect(definition.name).toMatch(/^[a-z]+$/);
      expect(names.filter((name) => !name.startsWith(`${definition.name}_`))).toEqual([]);
      expect(new Set(names).size).toBe(names.length);
    });

    it('describes every argument, knows all hints, and sends no top-level union', () => {
      const service = definition.create(depsOf({}));
      for (const tool of service.getTools()) {
        const properties = Object.entries((tool.input['properties'] ?? {}) as Record<string, { description?: string }>);
        expect(properties.filter(([, property]) => (property.description ?? '') === '').map(([key]) => `${tool.name}.${key}`)).toEqual([]);
        expect(Object.values(tool.hints).every((hint) => typeof hint === 'boolean')).toBe(true);
        expect(Object.keys(toWireInput(tool.input, { complete: true, hide: new Set() }))).not.toContain('anyOf');
      }
    });

    it('refuses a wrong configuration by the name of the key (SEED-IFACE-02)', async () => {
      const failed = await open(wrongConfig).catch((error: unknown) => error);
      expect(failed).toMatchObject({ code: 'INVALID_ARGUMENT', message: expect.stringContaining(`${definition.name}.`) });
    });

    it.each(names)(
      '%s answers as its schema says, within its budget, without a secret (SEED-IFACE-04, SEED-CALL-06, RULE-01, RULE-03)',
      async (name) => {
        const args = calls[name];
        expect(args, `the contract needs a call of ${name}`).toBeDefined();
        const service = await open(config());
        const answer = await ask(service, name, args);
        const { structured, text } = fitAnswer(answer, { maxTokens: MAX_TOKENS, seal: () => 'cursor' });
        definition.tools.find((tool) => tool.name === name)?.answer?.parse(structured);
        expect(text.length).toBeGreaterThan(0);
        expect(JSON.stringify(structured)).not.toMatch(/:null\b/);
        const masked = redactor.mask(JSON.stringify(answer));
        expect(canaries.filter((canary) => masked.includes(canary))).toEqual([]);
        await service.shutdown();
      },
    );

    it.each(names)('%s names an unknown argument and says what a wrong one should be', async (name) => {
      const service = await open(config());
      expect(() => service.parseArguments(name, { no_such_argument: 1 })).toThrowError(/no_such_argument/);
      const info = definition
        .create(depsOf({}))
        .getTools()
        .find((tool) => tool.name === name);
      const [first] = Object.keys((info?.input['properties'] ?? {}) as object);
      if (first !== undefined)
        expect(codeOf(catchError(() => service.parseArguments(name, { [first]: { nested: [] } })))).toBe('INVALID_ARGUMENT');
      await service.shutdown();
    });

    it('refuses unknown tools', async () => {
      const service = await open(config());
      expect(codeOf(await ask(service, `${definition.name}_fly`, {}).catch((error: unknown) => error))).toBe('INVALID_ARGUMENT');
      await service.shutdown();
    });

    it('honours an abort before it starts', async () => {
      const service = await open(config());
      const reason = new AppError('CANCELLED', 'The call was cancelled.');
      const results = await Promise.all(
        names
          .filter((name) => definition.name !== 'platform' && calls[name] !== undefined)
          .map((name) => ask(service, name, calls[name], AbortSignal.abort(reason)).then(() => 'answered', codeOf)),
      );
      expect(results.filter((code) => code !== 'CANCELLED')).toEqual([]);
      await service.shutdown();
    });

    it('tells its health truthfully (SEED-IFACE-05)', async () => {
      const service = await open(config());
      expect((await service.healthCheck(AbortSignal.timeout(5000))).state).toBe('up');
      await service.shutdown();
    });

    if (downConfig !== undefined) {
      it('starts without its backend, is down, and answers SERVICE_UNAVAILABLE (SEED-FAULT-02, SEED-DEGR-01)', async () => {
        const service = await open(downConfig);
        const health = await service.healthCheck(AbortSignal.timeout(5000)).catch((error: unknown) => codeOf(error));
        expect(health === 'SERVICE_UNAVAILABLE' || (typeof health === 'object' && health.state === 'down')).toBe(true);
        const [name = ''] = names;
        const failed = await ask(service, name, calls[name]).catch((error: unknown) => error);
        expect(failed).toMatchObject({
          code: 'SERVICE_UNAVAILABLE',
          details: { service: definition.name, retry_after: expect.stringMatching(/^\d+s$/) },
        });
        await service.shutdown();
      });
    }

    it('shuts down twice without harm and answers nothing afterwards (SEED-IFACE-06)', async () => {
      const service = await open(config());
      await service.shutdown();
      await service.shutdown();
      const [name = ''] = names;
      expect(codeOf(await ask(service, name, calls[name]).catch((error: unknown) => error))).toBe('SERVICE_UNAVAILABLE');
    });
  });
};

const catchError = (work: () => unknown): unknown => {
  try {
    return work();
  } catch (thrown) {
    return thrown;
  }
};
