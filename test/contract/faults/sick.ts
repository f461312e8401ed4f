import { deployment, podName, waiting, warning } from './objects.ts';

export const web = 'deployment/web';
export const podWeb = `pod/${podName('web')}`;
export const STATUS = 'status.containerStatuses[?name=main]';
export const MAIN = 'spec.template.spec.containers[?name=main]';

export const crashing = { ready: false, restarts: 7, state: waiting('CrashLoopBackOff', 'back-off 5m0s restarting failed container') };

/** A Deployment whose one pod is in a state, with a Warning about that pod. */
export const sick = (namespace: string, state: object, event?: readonly [string, string, string?], more: object = {}) => {
  const objects = deployment(namespace, 'web', { pods: [{ ready: false, ...state }], ...more });
  if (event === undefined) return objects;
  const [reason, message, fieldPath] = event;
  return [...objects, warning(objects.at(-1), reason, message, fieldPath === undefined ? {} : { fieldPath })];
};

export const configError = (message: string) => ({ phase: 'Pending', state: waiting('CreateContainerConfigError', message) });
export const creating = { phase: 'Pending', state: waiting('ContainerCreating'), age: 5 };
export const probe = (more: object) => ({ ports: [{ name: 'http', containerPort: 8080, protocol: 'TCP' }], ...more });
