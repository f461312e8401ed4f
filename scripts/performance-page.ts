// The performance guide: prose, and the figures of the last committed benchmark.

export interface BenchResults {
  readonly machine: { readonly node: string; readonly cpus: number; readonly at: string };
  readonly rows: readonly {
    readonly id: string;
    readonly what: string;
    readonly ours: string;
    readonly bar: string;
    readonly holds: boolean;
  }[];
}

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');

export const toPerformancePage = ({ machine, rows }: BenchResults): string => `# Performance

This page is generated from \`bench/results/latest.json\` by \`npm run generate\`; do not edit it. Measured on ${machine.cpus} cores with Node ${machine.node}, ${machine.at.slice(0, 10)}. Repeat it with \`npm run bench\`; \`-- --peers\` measures other servers beside it.

Every bar is a ratio measured side by side in one run, or a count that does not depend on the machine. What does not hold is told as it is.

| row | what | measured | bar | holds |
| --- | --- | --- | --- | --- |
${rows.map(({ id, what, ours, bar, holds }) => `| ${[id, what, ours, bar, holds ? 'yes' : '**no**'].map(cell).join(' | ')} |`).join('\n')}

## What makes answers small

Lists ask the API server for its light table, not for objects; other columns are fetched only when asked for. Answers keep a budget (\`output.maxTokens\`), with exact totals and a cursor for the rest. Definitions are sent in a lean form when many tools are listed (\`definitions.form\`).

## Caching

Reads are kept for 2 seconds to 10 minutes by tool ([cache.md](cache.md)): \`cache.type\` (\`lru\` or \`segmented\`), \`cache.max_size\`, \`cache.default_ttl\`, \`kubernetes.cache_ttl\`. Equal reads in flight are one. A change forgets what it touched. With \`store.type\` \`redis\` replicas share a second level. \`cache.warm_up\` names calls that are made after the start.

## Connections to clusters

One keep-alive pool per cluster and identity: \`kubernetes.maxConnections\` sockets, \`kubernetes.qps\` requests a second after \`kubernetes.burst\` at once, \`kubernetes.timeoutSec\` each. Callers take turns in the queue, so that a greedy one does not hold up a modest one. A failing cluster is left alone for a while (\`kubernetes.circuitFailures\`, \`kubernetes.circuitOpenSec\`).

## Batching

A list costs one request per page of 500, whatever its number of objects. Several kinds, namespaces and names are asked for side by side with a bound.

## Compression and encoding

Answers of 1 KiB and more are compressed as the client asks for (zstd, br, gzip): \`performance.compression_enabled\`, \`performance.compression_level\`. Event streams never are. Records of the audit log are written through a pool of buffers (\`performance.json_pool_size\`, \`performance.json_buffer_size\`).

## Memory

About 25 MB are alive after a collection; the rest is garbage that waits for one, and what Node takes for itself (about 80 MiB). Over HTTP the server begins its process once more with a bounded heap (\`--max-semi-space-size=16 --heap-growing-percent=75\`, \`MALLOC_ARENA_MAX=2\`): measured at half the resident size for no more processor time, as V8 would take 128 MiB for new objects alone on a machine with much memory. An option of your own for the heap, on the command line or in \`NODE_OPTIONS\`, turns that off; \`--optimize-for-size\` saves another third for a third more processor time. On stdio the heap is left as Node makes it: the start counts there.

Lists are reduced while they are read: of a page only what the answer shows outlives it. Lists of more than 500 objects are read from one cluster three at a time; others wait their turn.

## Growing

Replicas need a common \`security.signingKey\` and \`store.type\` \`redis\`: cursors, plans, limits and confirmations then count on all of them.
`;
