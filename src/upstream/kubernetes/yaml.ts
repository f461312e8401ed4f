// How manifests are read: as kubectl and Helm read them.

import type { ParseOptions, SchemaOptions, Tags } from 'yaml';

const isTime = (tag: Tags[number]): boolean =>
  typeof tag !== 'string' && (tag.tag === 'tag:yaml.org,2002:timestamp' || ('format' in tag && tag.format === 'TIME'));

/**
 * Go reads manifests as YAML 1.1: `0400` is octal, `on` is true, `<<` merges. Its times and sexagesimal numbers are texts there, and `0o400` of
 * YAML 1.2 counts, too (sigs.k8s.io/yaml).
 */
export const AS_GO_READS = {
  version: '1.1',
  customTags: (tags: Tags): Tags => [...tags.filter((tag) => !isTime(tag)), 'intOct'],
} as const satisfies ParseOptions & SchemaOptions & { version: '1.1' };
