import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { at, numberAt, objectAt, objectsAt, textAt } from './json.ts';
import { ACCEPT, columnsOf, namesOf, openBed, rowsOf, statusOf, toRequest } from './testing.ts';

const { kubernetes, ask } = openBed();
const query = (path: string, parameters: Readonly<Record<string, string>>): string => `${path}?${new URLSearchParams(parameters)}`;

describe('reading objects', () => {
  it('gives one object with the kind that lists leave out of their items', async () => {
    const one = await ask('/apis/apps/v1/namespaces/shop/deployments/payment');
    expect([one.status, textAt(one.body, 'kind'), textAt(one.body, 'apiVersion')]).toEqual([200, 'Deployment', 'apps/v1']);
    const list = await ask('/apis/apps/v1/namespaces/shop/deployments');
    expect(textAt(list.body, 'kind')).toBe('DeploymentList');
    expect(objectsAt(list.body, 'items').every((item) => item['kind'] === undefined)).toBe(true);
  });

  it('names the object that is not there', async () => {
    const { status, body } = await ask('/apis/apps/v1/namespaces/shop/deployments/nope');
    expect(status).toBe(404);
    expect(body).toEqual({
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message: 'deployments.apps "nope" not found',
      reason: 'NotFound',
      details: { name: 'nope', group: 'apps', kind: 'deployments' },
      code: 404,
    });
  });

  it.each([
    ['/api/v1/foos', 'the server could not find the requested resource'],
    ['/apis/apps/v9/deployments', 'the server could not find the requested resource'],
    ['/api/v1/namespaces/shop/nodes', 'the server could not find the requested resource'],
  ])('answers a Status for %s', async (path, message) => {
    expect(statusOf(await ask(path))).toEqual({ code: 404, reason: 'NotFound', message });
  });

  it('answers plain text for a group that nobody serves', async () => {
    const { status, text, headers } = await ask('/apis/foo/v1/bars');
    expect([status, text, headers.get('content-type')]).toEqual([404, '404 page not found\n', 'text/plain; charset=utf-8']);
  });

  it('lists an unknown namespace as empty', async () => {
    expect(namesOf(await ask('/api/v1/namespaces/nope/pods'))).toEqual([]);
  });

  it('writes YAML for who accepts it, pretty JSON for who asks', async () => {
    const yaml = await ask('/api/v1/namespaces/shop', { accept: 'application/yaml' });
    expect(yaml.headers.get('content-type')).toBe('application/yaml');
    expect(parse(yaml.text)).toEqual((await ask('/api/v1/namespaces/shop')).body);
    expect((await ask('/api/v1/namespaces/shop?pretty=true')).text).toContain('\n  "kind": "Namespace",\n');
  });

  it('compresses a large answer for who accepts gzip', async () => {
    const response = await kubernetes.handle(toRequest(kubernetes, '/api/v1/pods', { headers: { 'accept-encoding': 'gzip' } }));
    expect(response.headers.get('content-encoding')).toBe('gzip');
    const unpacked = gunzipSync(new Uint8Array(await response.arrayBuffer())).toString();
    expect(unpacked).toBe((await ask('/api/v1/pods')).text);
  });

  it('refuses what it cannot write', async () => {
    const answer = await ask('/api/v1/pods', { accept: 'application/vnd.kubernetes.protobuf' });
    expect(statusOf(answer)).toMatchObject({ code: 406, reason: 'NotAcceptable' });
  });
});

describe('selectors', () => {
  it.each([
    ['app.kubernetes.io/name=payment', 3],
    ['app.kubernetes.io/name==payment', 3],
    ['app.kubernetes.io/name in (payment,web)', 8],
    ['app.kubernetes.io/name notin (payment),pod-template-hash', 16],
    ['!app.kubernetes.io/name', 0],
    ['app.kubernetes.io/name,app.kubernetes.io/name!=web', 14],
  ])('by label: %s', async (labelSelector, count) => {
    const answer = await ask(query('/api/v1/namespaces/shop/pods', { labelSelector }));
    expect(namesOf(answer).filter((name) => !name.startsWith('nightly-report'))).toHaveLength(count);
  });

  it.each([
    ['a in', "unable to parse requirement: found '' expected: '('"],
    ['a in (', "unable to parse requirement: found '', expected: ',', ')' or identifier"],
    ['x>a', "values[0]: Invalid value: \"a\": for 'Gt', 'Lt' operators, the value must be an integer"],
    ['a b', "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"],
  ])('refuses the label selector %s in the words of the server', async (labelSelector, message) => {
    const answer = await ask(query('/api/v1/pods', { labelSelector }));
    expect(statusOf(answer)).toMatchObject({ code: 400, reason: 'BadRequest' });
    expect(textAt(answer.body, 'message')).toContain(message);
  });

  it.each([
    ['/api/v1/pods', 'status.phase=Pending', 1],
    ['/api/v1/pods', 'metadata.name=kafka-0', 1],
    ['/api/v1/pods', 'metadata.namespace=data,status.phase=Running', 5],
    ['/api/v1/namespaces/shop/secrets', 'type=kubernetes.io/tls', 1],
    ['/apis/shop.example.com/v1/featureflags', 'spec.service=payment', 1],
  ])('by field: %s %s', async (path, fieldSelector, count) => {
    expect(namesOf(await ask(query(path, { fieldSelector })))).toHaveLength(count);
  });

  it.each([
    ['/api/v1/pods', 'foo=bar', 'field label not supported: foo'],
    ['/api/v1/nodes', 'spec.x=1', 'field label not supported: spec.x'],
  ])('refuses a field that %s do not select by', async (path, fieldSelector, message) => {
    expect(statusOf(await ask(query(path, { fieldSelector })))).toEqual({ code: 400, reason: 'BadRequest', message });
  });
});

describe('paging', () => {
  const pages = async (path: string): Promise<string[]> => {
    const answer = await ask(path);
    const token = textAt(answer.body, 'metadata', 'continue');
    return [
      ...namesOf(answer),
      ...(token === '' ? [] : await pages(`${path.split('&continue')[0]}&continue=${encodeURIComponent(token)}`)),
    ];
  };

  it('goes through all objects once, counting what remains', async () => {
    const all = namesOf(await ask('/api/v1/pods'));
    expect(await pages('/api/v1/pods?limit=7')).toEqual(all);
    expect(await pages('/api/v1/namespaces/shop/pods?limit=1')).toEqual(namesOf(await ask('/api/v1/namespaces/shop/pods')));
    const first = await ask('/api/v1/pods?limit=20');
    expect(numberAt(first.body, 'metadata', 'remainingItemCount')).toBe(all.length - 20);
  });

  it('does not count what remains behind a selector', async () => {
    const { body } = await ask('/api/v1/pods?limit=2&labelSelector=app.kubernetes.io%2Fname%3Dweb');
    expect(textAt(body, 'metadata', 'continue')).not.toBe('');
    expect(at(body, 'metadata', 'remainingItemCount')).toBeUndefined();
  });

  it('shows every page as it was at the first one', async () => {
    const bed = openBed({ controllers: false });
    const before = namesOf(await bed.ask('/api/v1/namespaces/data/pods'));
    const first = await bed.ask('/api/v1/namespaces/data/pods?limit=2');
    bed.kubernetes.store.remove('pods', 'data', 'redis-0');
    const token = encodeURIComponent(textAt(first.body, 'metadata', 'continue'));
    const second = await bed.ask(`/api/v1/namespaces/data/pods?limit=10&continue=${token}`);
    expect([...namesOf(first), ...namesOf(second)]).toEqual(before);
    expect(textAt(second.body, 'metadata', 'resourceVersion')).toBe(textAt(first.body, 'metadata', 'resourceVersion'));
  });

  it('answers 410 for a token whose snapshot is gone, with a token to carry on anyhow', async () => {
    const bed = openBed({ controllers: false });
    const first = await bed.ask('/api/v1/namespaces/data/pods?limit=2');
    bed.kubernetes.store.remove('pods', 'data', 'redis-0');
    bed.kubernetes.store.compact();
    const next = (answer: typeof first): string => encodeURIComponent(textAt(answer.body, 'metadata', 'continue'));
    const gone = await bed.ask(`/api/v1/namespaces/data/pods?limit=2&continue=${next(first)}`);
    expect(statusOf(gone)).toMatchObject({ code: 410, reason: 'Expired' });
    expect(textAt(gone.body, 'message')).toMatch(/^The provided continue parameter is too old to display a consistent list result\./);
    const rest = await bed.ask(`/api/v1/namespaces/data/pods?limit=10&continue=${next(gone)}`);
    expect(namesOf(rest)).toEqual(['kafka-2', 'postgres-0']);
  });

  it.each([
    ['limit=abc', 400, 'strconv.ParseInt: parsing "abc": invalid syntax'],
    ['continue=xyz', 400, 'invalid continue token: continue key is not valid: invalid character'],
    ['resourceVersion=abc', 400, 'invalid resource version: resourceVersion: Invalid value: "abc"'],
    ['resourceVersionMatch=Exact', 422, 'resourceVersionMatch is forbidden unless resourceVersion is provided'],
    ['resourceVersion=999999999', 504, 'Too large resource version: 999999999'],
  ])('refuses %s', async (text, code, message) => {
    const answer = await ask(`/api/v1/pods?${text}`);
    expect(answer.status).toBe(code);
    expect(textAt(answer.body, 'message')).toContain(message);
  });

  it('lists exactly as of an older revision', async () => {
    const bed = openBed({ controllers: false });
    const { store } = bed.kubernetes;
    const revision = store.revision;
    store.remove('pods', 'data', 'redis-0');
    const then = await bed.ask(`/api/v1/namespaces/data/pods?resourceVersion=${revision}&resourceVersionMatch=Exact`);
    expect(namesOf(then)).toContain('redis-0');
    store.compact();
    const gone = await bed.ask(`/api/v1/namespaces/data/pods?resourceVersion=${revision}&resourceVersionMatch=Exact`);
    expect(statusOf(gone)).toEqual({ code: 410, reason: 'Expired', message: 'The resourceVersion for the provided list is too old.' });
  });

  it('ignores the limit for revision 0, which is served from the cache', async () => {
    expect(namesOf(await ask('/api/v1/pods?limit=3&resourceVersion=0')).length).toBeGreaterThan(50);
  });
});

describe('other forms', () => {
  it('prints a Table with the metadata of its objects, with nothing, or with all of them', async () => {
    const path = '/api/v1/namespaces/data/pods';
    const columns = ['Name', 'Ready', 'Status', 'Restarts', 'Age', 'IP', 'Node', 'Nominated Node', 'Readiness Gates'];
    const first = async (include: string): Promise<unknown> => {
      const table = await ask(`${path}?includeObject=${include}`, { accept: ACCEPT.table });
      expect(columnsOf(table)).toEqual(columns);
      return at(objectsAt(table.body, 'rows')[0], 'object');
    };
    expect(await first('None')).toBeNull();
    expect(await first('Metadata')).toMatchObject({ kind: 'PartialObjectMetadata', metadata: { name: 'kafka-0' } });
    expect(await first('Object')).toMatchObject({ kind: 'Pod', spec: { nodeName: expect.any(String) } });
  });

  it('gives the metadata alone', async () => {
    const one = await ask('/api/v1/namespaces/data/pods/kafka-0', { accept: ACCEPT.partial });
    expect(Object.keys(objectAt(one.body))).toEqual(['kind', 'apiVersion', 'metadata']);
    const list = await ask('/api/v1/namespaces/data/pods?limit=2', { accept: ACCEPT.partialList });
    expect(textAt(list.body, 'kind')).toBe('PartialObjectMetadataList');
    expect(objectsAt(list.body, 'items').map((item) => item['spec'])).toEqual([undefined, undefined]);
  });

  it('refuses a form that is none', async () => {
    const answer = await ask('/api/v1/pods', { accept: 'application/json;as=Picture;v=v1;g=meta.k8s.io' });
    expect(statusOf(answer)).toMatchObject({ code: 406, reason: 'NotAcceptable' });
  });

  it('tells ages by the clock', async () => {
    const bed = openBed();
    const age = async (): Promise<string | undefined> =>
      rowsOf(await bed.ask('/api/v1/namespaces/data/pods/kafka-0', { accept: ACCEPT.table }))[0]?.[4];
    const before = await age();
    bed.pass(24 * 3_600_000);
    expect([before, await age()]).toEqual(['47d', '48d']);
  });
});
