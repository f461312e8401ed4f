// For tests: a chart with a bit of everything, as a folder for the helm command and as an archive for repositories.

import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

const DEPLOYMENT = `apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Release.Name }}
  labels: { helm.sh/chart: "{{ .Chart.Name }}-{{ .Chart.Version | replace "+" "_" }}" }
spec:
  replicas: {{ .Values.replicas }}
  selector: { matchLabels: { app: {{ .Release.Name }} } }
  template:
    metadata: { labels: { app: {{ .Release.Name }} } }
    spec:
      nodeSelector: {{ toYaml .Values.nodeSelector | nindent 8 }}
      containers:
        - name: main
          image: {{ .Values.image }}
          env:
            - { name: MESSAGE, value: {{ .Values.message | quote }} }
          resources: { requests: { cpu: 10m, memory: 1000Ki } }
      volumes:
        - name: files
          configMap: { name: {{ .Release.Name }}, defaultMode: 0755 }
`;

const HOOK = `{{- if .Values.hook }}
apiVersion: batch/v1
kind: Job
metadata:
  name: {{ .Release.Name }}-migrate
  annotations:
    helm.sh/hook: pre-install,pre-upgrade
    helm.sh/hook-weight: "-5"
    helm.sh/hook-delete-policy: before-hook-creation
spec:
  backoffLimit: 0
  template:
    spec:
      restartPolicy: Never
      terminationGracePeriodSeconds: 0
      nodeSelector: {{ toYaml .Values.hook.nodeSelector | nindent 8 }}
      containers:
        - { name: main, image: {{ .Values.hook.image }}, imagePullPolicy: Never, command: {{ toJson .Values.hook.command }} }
{{- end }}
`;

/** The files of version `version`. */
export const chartFiles = (version: string): Readonly<Record<string, string>> => ({
  'Chart.yaml': `apiVersion: v2\nname: box\nversion: ${version}\nappVersion: "2.${version}"\ndescription: A box\n`,
  'values.yaml':
    'replicas: 1\nimage: docker.io/library/box:1\nmessage: hello\nnodeSelector: { type: kwok }\nhook: null\nblob: ""\nelsewhere: ""\nrandom: false\nauth:\n  password: canary-default\n  user: jane\ndropped: { a: 1, b: 2 }\nbroken: false\n',
  'values.schema.json': JSON.stringify({ type: 'object', properties: { replicas: { type: 'integer', minimum: 0, maximum: 9 } } }),
  'templates/deployment.yaml': DEPLOYMENT,
  'templates/hook.yaml': HOOK,
  'templates/configmap.yaml': `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}\n  annotations: { helm.sh/resource-policy: {{ .Values.policy | default "none" }} }\ndata:\n  version: "${version}"\n  message: {{ .Values.message | quote }}\n  blob: {{ .Values.blob | quote }}\n`,
  'templates/secret.yaml':
    'apiVersion: v1\nkind: Secret\nmetadata:\n  name: {{ .Release.Name }}\nstringData:\n  password: {{ .Values.auth.password }}\n  {{- if .Values.random }}\n  generated: {{ randAlphaNum 20 }}\n  {{- end }}\n',
  'templates/elsewhere.yaml':
    '{{- if .Values.elsewhere }}\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: elsewhere\n  namespace: {{ .Values.elsewhere }}\n{{- end }}\n',
  'templates/broken.yaml': '{{- if .Values.broken }}\n{{ fail "this chart is broken on purpose" }}\n{{- end }}\n',
  'templates/NOTES.txt': 'Box {{ .Release.Name }} says {{ .Values.message }}. Password: {{ .Values.auth.password }}\n',
});

/** The chart in a temporary folder. */
export const writeChart = async (version: string): Promise<string> => {
  const folder = join(await mkdtemp(join(tmpdir(), 'chart-')), 'box');
  for (const [path, body] of Object.entries(chartFiles(version))) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), body);
  }
  return folder;
};
