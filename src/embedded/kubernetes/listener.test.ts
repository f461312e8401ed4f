import { execFile } from 'node:child_process';
import { request as requestHttps } from 'node:https';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { type Json, objectsAt, textAt } from './json.ts';
import { eventsOf, openBed } from './testing.ts';

const readConfig = (text: string): Json => parse(text);

const run = promisify(execFile);

/** A program of its own: it ends when nothing keeps it alive any more. */
const PROGRAM = `
const { createEmbeddedKubernetes } = await import(${JSON.stringify(new URL('./index.ts', import.meta.url).href)});
const kubernetes = createEmbeddedKubernetes();
const { url } = await kubernetes.listen();
const headers = { authorization: 'Bearer ' + kubernetes.token() };
kubernetes.inject({ match: ({ url }) => url.endsWith('/hang'), respond: { kind: 'hang' } });
const pods = url + '/api/v1/namespaces/data/pods';
for (const path of ['?watch=true&allowWatchBookmarks=true', '/kafka-0/log?container=kafka&follow=true', '/hang'])
  fetch(pods + path, { headers }).then((response) => response.text()).catch(() => '');
while (kubernetes.requests.length < 3) await new Promise((resolve) => setImmediate(resolve));
await kubernetes.close();
console.log('closed');
`;

describe('listening', () => {
  it('answers on the loopback address, with the users of the kubeconfig', async () => {
    const { kubernetes } = openBed({ controllers: false });
    const { url } = await kubernetes.listen();
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    const config = readConfig(kubernetes.kubeconfig('viewer'));
    expect(textAt(objectsAt(config, 'clusters')[0], 'cluster', 'server')).toBe(url);
    const token = textAt(objectsAt(config, 'users')[0], 'user', 'token');
    const response = await fetch(`${url}/api/v1/namespaces/shop/secrets`, { headers: { authorization: `Bearer ${token}` } });
    expect(response.status).toBe(403);
    await kubernetes.close();
    await expect(fetch(`${url}/version`)).rejects.toThrow();
  });

  it('has other tokens in every instance, and no kubeconfig before it listens', () => {
    const [one, other] = [openBed({ objects: [] }).kubernetes, openBed({ objects: [] }).kubernetes];
    expect(one.token()).not.toBe(other.token());
    expect(() => one.kubeconfig()).toThrow('kubeconfig() needs listen() first');
  });

  it('speaks HTTPS with a certificate that the kubeconfig vouches for', async () => {
    const { kubernetes } = openBed({ controllers: false });
    const { url } = await kubernetes.listen({ tls: true });
    const config = readConfig(kubernetes.kubeconfig());
    const ca = Buffer.from(textAt(objectsAt(config, 'clusters')[0], 'cluster', 'certificate-authority-data'), 'base64').toString();
    const status = await new Promise((resolve, reject) => {
      const question = requestHttps(`${url}/version`, { ca, agent: false }, (response) => {
        response.resume();
        response.on('end', () => resolve(response.statusCode));
      });
      question.on('error', reject);
      question.end();
    });
    expect(status).toBe(200);
    await kubernetes.close();
  });

  it('streams watches and logs until it closes', async () => {
    const { kubernetes } = openBed();
    const { url } = await kubernetes.listen();
    const headers = { authorization: `Bearer ${kubernetes.token()}` };
    const response = await fetch(`${url}/api/v1/namespaces/data/pods?watch=true`, { headers });
    const events = eventsOf(response);
    expect((await events.next()).value).toMatchObject({ type: 'ADDED', object: { metadata: { name: 'kafka-0' } } });
    const log = await fetch(`${url}/api/v1/namespaces/data/pods/kafka-0/log?container=kafka&follow=true`, { headers });
    expect(log.status).toBe(200);
    await kubernetes.close();
    await expect(events.return(undefined)).resolves.toMatchObject({ done: true });
    await log.text().catch(() => '');
  });

  it('leaves nothing behind that would keep a program alive', async () => {
    const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', PROGRAM], { timeout: 30_000 });
    expect(stdout).toBe('closed\n');
  });
});
