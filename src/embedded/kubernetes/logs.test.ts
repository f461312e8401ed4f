import { describe, expect, it } from 'vitest';
import { parseJson, textAt } from './json.ts';
import { ACCEPT, type Bed, namesOf, openBed, rowsOf, statusOf, T0, TYPE, toRequest } from './testing.ts';

const POOL = 'timeout acquiring connection from pool (size=2, waited ';

const paymentPods = async (bed: Bed): Promise<{ crashing: string; limping: string[] }> => {
  const rows = rowsOf(
    await bed.ask('/api/v1/namespaces/shop/pods?labelSelector=app.kubernetes.io%2Fname%3Dpayment', { accept: ACCEPT.table }),
  );
  const name = (ready: string): string[] => rows.filter((row) => row[1] === ready).map((row) => row[0] ?? '');
  return { crashing: name('1/2')[0] ?? '', limping: name('2/2') };
};

const logOf = async (bed: Bed, pod: string, query: string): Promise<string[]> => {
  const { text } = await bed.ask(`/api/v1/namespaces/shop/pods/${pod}/log?${query}`);
  return text.split('\n').filter((line) => line !== '');
};

describe('pod logs', () => {
  it('tell of payment as the story does: lines of JSON with the trace of the request', async () => {
    const bed = openBed();
    const { limping } = await paymentPods(bed);
    const lines = (await Promise.all(limping.map((pod) => logOf(bed, pod, 'container=payment&sinceSeconds=300')))).flat();
    const failures = lines.map(parseJson).filter((line) => textAt(line, 'msg').startsWith(POOL));
    expect(failures.length).toBeGreaterThan(30);
    expect(failures[0]).toMatchObject({ level: 'error', service: 'payment', path: '/charge', status: 500 });
    expect(textAt(failures[0], 'trace_id')).toMatch(/^[0-9a-f]{32}$/);
  });

  it('are the same for whom asks again, and go on with time', async () => {
    const bed = openBed();
    const { limping } = await paymentPods(bed);
    const read = (): Promise<string[]> => logOf(bed, limping[0] ?? '', 'container=payment&tailLines=50');
    const before = await read();
    expect(await read()).toEqual(before);
    bed.pass(60_000);
    const after = await read();
    expect(after).not.toEqual(before);
    expect(after.slice(0, 10)).toEqual(
      before
        .slice(-50)
        .filter((line) => after.includes(line))
        .slice(0, 10),
    );
  });

  it('keep the run before: it ended out of memory', async () => {
    const bed = openBed();
    const { crashing } = await paymentPods(bed);
    const lines = await logOf(bed, crashing, 'container=payment&previous=true');
    expect(lines.at(-1)).toMatch(/heap at \d+MiB of 256MiB|pool|served/);
    expect(lines.some((line) => line.includes('heap at 247MiB of 256MiB'))).toBe(true);
  });

  it('are cut by lines, time and bytes', async () => {
    const bed = openBed();
    const pod = namesOf(await bed.ask('/api/v1/namespaces/shop/pods?labelSelector=app.kubernetes.io%2Fname%3Dcart'))[0] ?? '';
    const all = await logOf(bed, pod, '');
    expect(await logOf(bed, pod, 'tailLines=3')).toEqual(all.slice(-3));
    expect(await logOf(bed, pod, 'tailLines=0')).toEqual([]);
    const recent = await logOf(bed, pod, `sinceTime=${encodeURIComponent(new Date(T0 - 60_000).toISOString())}`);
    expect(recent).toEqual(all.slice(-recent.length));
    expect(await logOf(bed, pod, 'sinceSeconds=60')).toEqual(recent);
    const { text } = await bed.ask(`/api/v1/namespaces/shop/pods/${pod}/log?limitBytes=100`);
    expect(text).toBe(`${all.join('\n')}\n`.slice(0, 100));
  });

  it('carry the time of each line for who wants it', async () => {
    const bed = openBed();
    const { text } = await bed.ask('/api/v1/namespaces/data/pods/kafka-0/log?container=kafka&timestamps=true&tailLines=2');
    expect(text).toMatch(/^2026-11-22T11:\d\d:\d\d\.\d{9}Z INFO .+\n2026-11-22T11:\d\d:\d\d\.\d{9}Z INFO .+\n$/);
  });

  it('go on while they are followed, until the pod is gone', async () => {
    const bed = openBed();
    const { limping } = await paymentPods(bed);
    const pod = limping[0] ?? '';
    const path = `/api/v1/namespaces/shop/pods/${pod}/log?container=payment&follow=true&tailLines=1`;
    const response = await bed.kubernetes.handle(toRequest(bed.kubernetes, path));
    const reader = (response.body ?? new ReadableStream<Uint8Array>()).getReader();
    const next = async (): Promise<string> => new TextDecoder().decode((await reader.read()).value);
    expect(await next()).toMatch(/^\{"time":"2026-11-22T11:5/);
    bed.pass(30_000);
    expect(await next()).toMatch(/"time":"2026-11-22T12:00:/);
    await bed.ask(`/api/v1/namespaces/shop/pods/${pod}?gracePeriodSeconds=0`, { method: 'DELETE' });
    let isDone = false;
    while (!isDone) isDone = (await reader.read()).done;
    expect(isDone).toBe(true);
    await bed.kubernetes.close();
  });

  it('of a healed payment show the larger pool', async () => {
    const bed = openBed();
    const { crashing } = await paymentPods(bed);
    await bed.ask('/api/v1/namespaces/shop/configmaps/payment-config', {
      method: 'PATCH',
      type: TYPE.merge,
      body: { data: { DB_POOL_SIZE: '20' } },
    });
    await bed.ask(`/api/v1/namespaces/shop/pods/${crashing}?gracePeriodSeconds=0`, { method: 'DELETE' });
    bed.pass(20_000);
    const { limping } = await paymentPods(bed);
    const logs = await Promise.all(limping.map((pod) => logOf(bed, pod, 'container=payment')));
    expect(logs.filter((lines) => lines.some((line) => line.includes('database pool opened (size=20, timeout=4500ms)')))).toHaveLength(1);
  });

  it.each([
    ['kafka-0', '', 'a container name must be specified for pod kafka-0, choose one of: [format-storage kafka jmx-exporter]'],
    ['kafka-0', 'container=x', 'container x is not valid for pod kafka-0'],
    ['kafka-0', 'container=kafka&previous=true', 'previous terminated container "kafka" in pod "kafka-0" not found'],
    ['kafka-0', 'container=kafka&tailLines=x', 'strconv.ParseInt: parsing "x": invalid syntax'],
  ])('of %s with "%s" are refused as a real server does', async (pod, query, message) => {
    const answer = await openBed().ask(`/api/v1/namespaces/data/pods/${pod}/log?${query}`);
    expect(statusOf(answer)).toEqual({ code: 400, reason: 'BadRequest', message });
  });

  it('refuse numbers that make no sense, and one stream alone, as invalid', async () => {
    const { ask } = openBed();
    const negative = await ask('/api/v1/namespaces/data/pods/kafka-0/log?container=kafka&tailLines=-1');
    expect(statusOf(negative)).toMatchObject({ code: 422, reason: 'Invalid' });
    const stream = await ask('/api/v1/namespaces/data/pods/kafka-0/log?container=kafka&stream=Stdout');
    expect(statusOf(stream)).toMatchObject({ code: 422, message: expect.stringContaining('stream: Forbidden: may not be specified') });
  });

  it('of a pod that waits for a node are empty', async () => {
    const bed = openBed();
    const waiting = namesOf(await bed.ask('/api/v1/namespaces/shop/pods?fieldSelector=status.phase%3DPending'))[0] ?? '';
    const { status, text } = await bed.ask(`/api/v1/namespaces/shop/pods/${waiting}/log`);
    expect([status, text]).toEqual([200, '']);
  });

  it('of a container that cannot start tell why', async () => {
    const bed = openBed({ controllers: false });
    const pod = bed.kubernetes.store.get('pods', 'data', 'redis-0');
    if (pod === undefined) throw new Error('the shop has no redis-0');
    const waiting = {
      name: 'redis',
      ready: false,
      restartCount: 0,
      image: 'x',
      imageID: '',
      state: { waiting: { reason: 'ImagePullBackOff' } },
    };
    bed.kubernetes.store.put('pods', { ...pod, status: { phase: 'Pending', containerStatuses: [waiting] } });
    expect(statusOf(await bed.ask('/api/v1/namespaces/data/pods/redis-0/log?container=redis')).message).toBe(
      'container "redis" in pod "redis-0" is waiting to start: trying and failing to pull image',
    );
  });
});
