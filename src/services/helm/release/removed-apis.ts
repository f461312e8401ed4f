// API versions that Kubernetes has removed, and since when (kubernetes.io/docs/reference/using-api/deprecation-guide).

/** `group/version` -> minor release in which it ended, and what replaces it. */
const REMOVED: Readonly<Record<string, { readonly minor: number; readonly instead: string }>> = {
  'extensions/v1beta1': { minor: 22, instead: 'apps/v1, networking.k8s.io/v1' },
  'apps/v1beta1': { minor: 16, instead: 'apps/v1' },
  'apps/v1beta2': { minor: 16, instead: 'apps/v1' },
  'networking.k8s.io/v1beta1': { minor: 22, instead: 'networking.k8s.io/v1' },
  'rbac.authorization.k8s.io/v1beta1': { minor: 22, instead: 'rbac.authorization.k8s.io/v1' },
  'apiextensions.k8s.io/v1beta1': { minor: 22, instead: 'apiextensions.k8s.io/v1' },
  'admissionregistration.k8s.io/v1beta1': { minor: 22, instead: 'admissionregistration.k8s.io/v1' },
  'apiregistration.k8s.io/v1beta1': { minor: 22, instead: 'apiregistration.k8s.io/v1' },
  'certificates.k8s.io/v1beta1': { minor: 22, instead: 'certificates.k8s.io/v1' },
  'coordination.k8s.io/v1beta1': { minor: 22, instead: 'coordination.k8s.io/v1' },
  'scheduling.k8s.io/v1beta1': { minor: 22, instead: 'scheduling.k8s.io/v1' },
  'policy/v1beta1': { minor: 25, instead: 'policy/v1' },
  'batch/v1beta1': { minor: 25, instead: 'batch/v1' },
  'discovery.k8s.io/v1beta1': { minor: 25, instead: 'discovery.k8s.io/v1' },
  'events.k8s.io/v1beta1': { minor: 25, instead: 'events.k8s.io/v1' },
  'node.k8s.io/v1beta1': { minor: 25, instead: 'node.k8s.io/v1' },
  'autoscaling/v2beta1': { minor: 25, instead: 'autoscaling/v2' },
  'autoscaling/v2beta2': { minor: 26, instead: 'autoscaling/v2' },
  'flowcontrol.apiserver.k8s.io/v1beta1': { minor: 26, instead: 'flowcontrol.apiserver.k8s.io/v1' },
  'flowcontrol.apiserver.k8s.io/v1beta2': { minor: 29, instead: 'flowcontrol.apiserver.k8s.io/v1' },
  'flowcontrol.apiserver.k8s.io/v1beta3': { minor: 32, instead: 'flowcontrol.apiserver.k8s.io/v1' },
};

/** Words when the version has ended somewhere; undefined = it has not. */
export const whyRemoved = (apiVersion: string, kind: string): string | undefined => {
  const found = Object.hasOwn(REMOVED, apiVersion) ? REMOVED[apiVersion] : undefined;
  return found === undefined ? undefined : `${kind} ${apiVersion} was removed in Kubernetes 1.${found.minor}: use ${found.instead}`;
};
