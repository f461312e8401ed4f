// In which forms a secret value may reappear, and which values are too ordinary to be looked for.

import { WINDOW } from './pattern-index.ts';
import { flatten } from './views.ts';

/** A line of a longer value that is looked for by itself, characters. */
const MIN_LINE = 20;
/** Longer values are documents: looked for line by line. */
const MAX_WHOLE = 4096;
const MAX_HEX_BYTES = 256;
const MAX_INNER = 50;
const MAX_LINES = 500;

// Words that stand everywhere: whoever masks them hides names and keys, and no secret.
const ORDINARY: ReadonlySet<string> = new Set(
  `account address administrator anonymous backend basic-auth changeme cluster cluster.local configuration connection container
  credentials database default default-token deployment developer development disabled docker elastic elasticsearch enabled endpoint
  bearer example example.com external frontend gateway grafana guest-user hostname https:// ingress internal jaeger kibana kube-node-lease
  kube-public kube-system kubelet kubernetes kubernetes.default kubernetes.default.svc kubernetes-admin latest localhost loopback manager
  mariadb master message metadata mongodb monitoring namespace network operator optional password passwd patched platform
  postgres postgresql primary private production prometheus public rabbitmq readonly region release replica required running secret
  secrets server service serviceaccount service-account stable staging standard storage success system:anonymous
  system:serviceaccounts system:unauthenticated testing timeout token-auth unknown unlimited unspecified username version warning
  us-east-1 us-east-2 us-west-1 us-west-2 eu-west-1 eu-west-2 eu-west-3 eu-central-1 eu-north-1 ap-south-1 ap-southeast-1 ap-southeast-2
  ap-northeast-1 127.0.0.1 0.0.0.0 text/plain application/json undefined`
    .split(/\s+/)
    .filter((word) => word.length >= WINDOW),
);

const PEM_MARK = /^-----(?:BEGIN|END) [A-Z0-9 ]+-----$/;
/** What stands behind a telling name in a settings file, a connection string, JSON. */
const INNER =
  /(?:pass|pwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|auth|credential)([\w.-]{0,40})["']?\s{0,10}[:=]\s{0,10}(?:(?:bearer|basic)\s{1,10})?(?:"([^"\n]{6,4096})"|'([^'\n]{6,4096})'|([^\s"',;&]{6,4096}))/gi;
/** Endings of names that tell of a secret and hold none. */
const TELLS_ABOUT = /(?:name|file|path|dir|ref|type|method|mode|ttl|timeout|enabled|algorithm|host|port|version)$/i;
const URL_PASSWORD = /:\/\/[^\s/@:]{0,200}:([^\s/@]{6,1000})@/g;
const BASE64 = /^[A-Za-z0-9+/]{8,}={0,2}$/;

/** Too short, or a word that stands everywhere. */
export const isOrdinary = (value: string): boolean => value.length < WINDOW || ORDINARY.has(value.toLowerCase()) || PEM_MARK.test(value);

/** The characters that are the same whatever stands before and after the value, for each of the three places it may have in a group. */
const toBase64 = (bytes: Buffer): string[] =>
  [0, 1, 2].map((offset) =>
    Buffer.concat([Buffer.alloc(offset), bytes])
      .toString('base64')
      .slice(Math.ceil((offset * 8) / 6), Math.floor(((offset + bytes.length) * 8) / 6)),
  );

const toEncodings = (value: string): string[] => {
  const bytes = Buffer.from(value);
  const base64 = toBase64(bytes);
  const hex = bytes.length <= MAX_HEX_BYTES ? bytes.toString('hex') : '';
  return [...base64, ...base64.map((text) => text.replaceAll('+', '-').replaceAll('/', '_')), hex, hex.toUpperCase()];
};

const decode = (text: string): string => {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
};

/** Secrets inside a secret: fields of JSON and settings files, passwords of URLs, `user:password` in base64. */
const toInner = (value: string): string[] => {
  const named = [...value.matchAll(INNER)]
    .filter(([, name = '']) => !TELLS_ABOUT.test(name))
    .slice(0, MAX_INNER)
    .flatMap(([, , ...groups]) => groups.filter((group) => group !== undefined));
  const inUrls = [...value.matchAll(URL_PASSWORD)].slice(0, MAX_INNER).flatMap(([, password = '']) => [password, decode(password)]);
  const inBasic = named
    .filter((text) => BASE64.test(text))
    .flatMap((text) => /^[^:\p{Cc}]{1,200}:([^\p{Cc}]{6,})$/u.exec(Buffer.from(text, 'base64').toString())?.[1] ?? []);
  return [...named, ...inUrls, ...inBasic].map((text) => text.trim()).filter((text) => !isOrdinary(text));
};

const toPlain = (text: string): string[] => (text.includes(' ') ? [text, text.replaceAll(' ', '+')] : [text]);

/** All patterns of a value, without line ends, each at least a window long. Escapes and percent-encoding are undone in the text instead. */
export const toPatterns = (value: string): ReadonlySet<string> => {
  const lines = value.split(/[\r\n]+/);
  const single = lines.length === 1;
  const wholes = [...(single || value.length <= MAX_WHOLE ? [value] : []), ...toInner(value)];
  const patterns = [
    ...wholes.flatMap((whole) => [...toPlain(flatten(whole)), ...(whole.length <= MAX_WHOLE ? toEncodings(whole) : [])]),
    ...(single ? [] : lines.slice(0, MAX_LINES).map((line) => line.trim())).filter((line) => line.length >= MIN_LINE && !isOrdinary(line)),
  ];
  return new Set(patterns.filter((pattern) => pattern.length >= WINDOW));
};
