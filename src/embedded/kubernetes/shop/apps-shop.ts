// The namespace `shop`: the seven services of the story.
import { DAY, PAYMENT } from '../../shop.ts';
import { type App, type AppContainer, REGISTRY } from './app.ts';

const HTTP = [{ name: 'http', port: 8080 }] as const;
const SERVICE_PORTS = [{ name: 'http', port: 80, target: 'http' }] as const;
const TRACING = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://otel-collector.observability:4317' };

const image = (name: string, version: string): string => `${REGISTRY}/shop/${name}:${version}`;

const main = (name: string, version: string, rest: Partial<AppContainer> = {}): AppContainer => ({
  name,
  image: image(name, version),
  ports: [...HTTP],
  requests: { cpu: '100m', memory: '128Mi' },
  limits: { memory: '256Mi' },
  env: { ...TRACING, OTEL_SERVICE_NAME: name },
  probePath: '/healthz',
  ...rest,
});

const envoy = (isSidecar: boolean): AppContainer => ({
  name: 'envoy',
  image: 'docker.io/envoyproxy/envoy:v1.34.1',
  args: ['-c', '/etc/envoy/envoy.yaml', '--log-level', 'warning'],
  ports: [{ name: 'mesh', port: 15001 }],
  requests: { cpu: '20m', memory: '48Mi' },
  limits: { memory: '96Mi' },
  mounts: { 'envoy-run': '/var/run/envoy' },
  ...(isSidecar ? { isSidecar: true } : {}),
});

const web: App = {
  namespace: 'shop',
  name: 'web',
  kind: 'Deployment',
  replicas: 3,
  age: 110 * DAY,
  containers: [
    main('web', '3.2.0', { requests: { cpu: '200m', memory: '128Mi' }, usesConfig: true, secretEnv: { SESSION_KEY: 'session-key' } }),
    {
      name: 'nginx-exporter',
      image: 'docker.io/nginx/nginx-prometheus-exporter:1.4.2',
      args: ['--nginx.scrape-uri=http://127.0.0.1:8080/stub_status'],
      ports: [{ name: 'metrics', port: 9113 }],
      requests: { cpu: '10m', memory: '16Mi' },
      limits: { memory: '32Mi' },
    },
  ],
  servicePorts: [...SERVICE_PORTS],
  config: { CATALOG_URL: 'http://catalog', CART_URL: 'http://cart', CHECKOUT_URL: 'http://checkout', LOG_LEVEL: 'info' },
  secret: { 'session-key': 'canary-web-session-6f1d2c' },
  minAvailable: 2,
};

const cart: App = {
  namespace: 'shop',
  name: 'cart',
  kind: 'Deployment',
  replicas: 2,
  age: 104 * DAY,
  containers: [main('cart', '1.8.3', { usesConfig: true, secretEnv: { REDIS_PASSWORD: 'redis-password' } })],
  servicePorts: [...SERVICE_PORTS],
  config: { REDIS_ADDRESS: 'redis.data:6379', CART_TTL: '72h' },
  secret: { 'redis-password': 'canary-redis-password-91b7' },
  minAvailable: 1,
};

const checkout: App = {
  namespace: 'shop',
  name: 'checkout',
  kind: 'Deployment',
  replicas: 3,
  age: 104 * DAY,
  initContainers: [
    envoy(true),
    {
      name: 'wait-for-payment',
      image: 'docker.io/library/busybox:1.37.0',
      command: ['sh', '-c', 'until nc -z payment 80; do sleep 1; done'],
    },
  ],
  containers: [main('checkout', '4.0.1', { usesConfig: true })],
  emptyDirs: ['envoy-run'],
  servicePorts: [...SERVICE_PORTS],
  config: { PAYMENT_URL: 'http://payment', PAYMENT_TIMEOUT: '5s', KAFKA_BROKERS: 'kafka.data:9092', ORDER_TOPIC: 'orders' },
  minAvailable: 2,
};

/** Payment as either revision of its release renders it. */
export const paymentApp = ({ version, poolSize, memoryLimit }: (typeof PAYMENT)['good' | 'bad']): App => ({
  namespace: 'shop',
  name: 'payment',
  kind: 'Deployment',
  replicas: 3,
  age: 104 * DAY,
  podAnnotations: { 'kubectl.kubernetes.io/default-container': 'payment' },
  containers: [
    main('payment', version, {
      requests: { cpu: '200m', memory: '192Mi' },
      limits: { cpu: '1', memory: memoryLimit },
      usesConfig: true,
      secretEnv: { DB_PASSWORD: 'db-password', PROVIDER_API_KEY: 'provider-api-key' },
    }),
    envoy(false),
  ],
  emptyDirs: ['envoy-run'],
  servicePorts: [...SERVICE_PORTS],
  config: {
    DB_HOST: 'postgres.data',
    DB_NAME: 'payments',
    DB_POOL_SIZE: String(poolSize),
    DB_POOL_TIMEOUT: `${PAYMENT.poolWait}ms`,
    KAFKA_BROKERS: 'kafka.data:9092',
    PAYMENT_TOPIC: 'payments',
  },
  secret: { 'db-password': 'canary-payment-db-4c19e8', 'provider-api-key': 'canary-provider-key-77aa01' },
  minAvailable: 2,
});

const catalog: App = {
  namespace: 'shop',
  name: 'catalog',
  kind: 'Deployment',
  replicas: 2,
  age: 110 * DAY,
  containers: [
    main('catalog', '2.1.0', { usesConfig: true, secretEnv: { DB_PASSWORD: 'db-password' } }),
    {
      name: 'cache-sync',
      image: image('cache-sync', '0.4.0'),
      requests: { cpu: '10m', memory: '32Mi' },
      limits: { memory: '64Mi' },
      mounts: { cache: '/cache' },
    },
  ],
  emptyDirs: ['cache'],
  servicePorts: [...SERVICE_PORTS],
  config: { DB_HOST: 'postgres.data', DB_NAME: 'catalog', CACHE_DIR: '/cache' },
  secret: { 'db-password': 'canary-catalog-db-0d52f3' },
  minAvailable: 1,
};

/** The running pods came from revision 2; revision 3 asks for a node that does not exist. */
export const recommendationApp = (isStuck: boolean): App => ({
  namespace: 'shop',
  name: 'recommendation',
  kind: 'Deployment',
  replicas: 2,
  age: 83 * DAY,
  containers: [
    main('recommendation', '0.9.0', { usesConfig: true, requests: { cpu: '150m', memory: '256Mi' }, limits: { memory: '512Mi' } }),
  ],
  servicePorts: [...SERVICE_PORTS],
  config: { MODEL: 'co-purchase-2026-10', CATALOG_URL: 'http://catalog' },
  nodeSelector: { disk: isStuck ? 'sdd' : 'ssd' },
});

const email: App = {
  namespace: 'shop',
  name: 'email',
  kind: 'Deployment',
  replicas: 1,
  age: 97 * DAY,
  containers: [
    main('email', '1.1.0', { requests: { cpu: '50m', memory: '64Mi' }, usesConfig: true, secretEnv: { SMTP_PASSWORD: 'smtp-password' } }),
  ],
  servicePorts: [...SERVICE_PORTS],
  config: { KAFKA_BROKERS: 'kafka.data:9092', KAFKA_GROUP: 'email', PAYMENT_TOPIC: 'payments', SMTP_HOST: 'smtp.example.com' },
  secret: { 'smtp-password': 'canary-smtp-password-e3b0' },
};

export const SHOP_APPS: readonly App[] = [web, cart, checkout, paymentApp(PAYMENT.bad), catalog, recommendationApp(true), email];
