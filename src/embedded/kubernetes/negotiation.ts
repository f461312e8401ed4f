// Which form an answer takes: JSON or YAML, whole objects, a Table or metadata alone (apiserver, pkg/endpoints/handlers/negotiation).
import { notAcceptable, StatusError } from './status.ts';

export type View = 'object' | 'Table' | 'PartialObjectMetadata' | 'PartialObjectMetadataList';

export interface Representation {
  readonly format: 'json' | 'yaml';
  readonly view: View;
  /** `v1`, or `v1beta1` for old clients of tables and metadata. */
  readonly viewVersion: string;
  readonly isPretty: boolean;
  /** The whole list was asked for in a form that discovery answers by another content type. */
  readonly discovery: string | undefined;
}

interface MediaRange {
  readonly type: string;
  readonly parameters: ReadonlyMap<string, string>;
  readonly quality: number;
}

/** Protobuf and CBOR of the real server are not offered. */
const ACCEPTED = ['application/json', 'application/yaml'];
const FORMATS: Readonly<Record<string, 'json' | 'yaml'>> = {
  'application/json': 'json',
  'application/yaml': 'yaml',
  'application/*': 'json',
  '*/*': 'json',
};
const VIEWS: readonly string[] = ['Table', 'PartialObjectMetadata', 'PartialObjectMetadataList'];

const parseAccept = (header: string): MediaRange[] =>
  header
    .split(',')
    .map((part) => {
      const [type = '', ...rest] = part.split(';').map((piece) => piece.trim());
      const parameters = new Map(rest.map((piece): [string, string] => [piece.split('=')[0] ?? '', piece.split('=')[1] ?? '']));
      return { type, parameters, quality: Number(parameters.get('q') ?? 1) };
    })
    .filter(({ type }) => type !== '')
    .toSorted((left, right) => right.quality - left.quality);

const isView = (as: string | undefined): as is View => as !== undefined && VIEWS.includes(as);

const isPretty = (request: Request, query: URLSearchParams): boolean => {
  const pretty = query.get('pretty');
  if (pretty !== null) return ['', '1', 't', 'T', 'true', 'TRUE', 'True'].includes(pretty);
  return /^(curl|Wget|Mozilla\/5\.0)/.test(request.headers.get('user-agent') ?? '');
};

/** Chooses by the Accept header; 406 when nothing in it can be offered. */
export const negotiate = (request: Request, query: URLSearchParams): Representation => {
  const pretty = isPretty(request, query);
  const plain: Representation = { format: 'json', view: 'object', viewVersion: 'v1', isPretty: pretty, discovery: undefined };
  const ranges = parseAccept(request.headers.get('accept') ?? '');
  if (ranges.length === 0) return plain;
  let hasKnownType = false;
  for (const { type, parameters } of ranges) {
    const format = FORMATS[type];
    if (format === undefined) continue;
    hasKnownType = true;
    const as = parameters.get('as');
    if (as === undefined) return { ...plain, format };
    const version = parameters.get('v') ?? '';
    if (as === 'APIGroupDiscoveryList' && parameters.get('g') === 'apidiscovery.k8s.io') {
      if (version === 'v2') return { ...plain, discovery: version };
    } else if (isView(as) && parameters.get('g') === 'meta.k8s.io' && ['v1', 'v1beta1'].includes(version)) {
      return { ...plain, format, view: as, viewVersion: version };
    }
  }
  if (hasKnownType || ranges.some(({ type }) => type === 'application/vnd.kubernetes.protobuf')) throw notAcceptable(ACCEPTED);
  throw new StatusError(
    406,
    'NotAcceptable',
    `406: Not Acceptable\n\nAvailable representations: ${ACCEPTED.join(', ')}, application/json;stream=watch`,
    {
      details: {},
    },
  );
};
