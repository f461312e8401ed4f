// Where the time of a process goes: a CPU profile of the bundle, told by the source files that the bundle was made of.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { SourceMap } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';

const profileShape = z.object({
  nodes: z.array(
    z.object({
      id: z.number(),
      callFrame: z.object({ functionName: z.string(), url: z.string(), lineNumber: z.number(), columnNumber: z.number() }),
    }),
  ),
  samples: z.array(z.number()),
  timeDeltas: z.array(z.number()),
});

type Frame = z.infer<typeof profileShape>['nodes'][number]['callFrame'];

/** Finds the source file of a place in the bundle. */
const createLocator = (): ((frame: Frame) => string) => {
  const maps = new Map<string, SourceMap>();
  return ({ functionName, url, lineNumber, columnNumber }) => {
    if (url === '') return functionName.startsWith('(') ? functionName : '(native)';
    if (!url.startsWith('file:')) return url;
    const file = fileURLToPath(url);
    if (!existsSync(`${file}.map`)) return file; // What the bundler itself adds, and a plugin from outside.
    const map = maps.get(file) ?? new SourceMap(JSON.parse(readFileSync(`${file}.map`, 'utf8')));
    maps.set(file, map);
    const entry = map.findEntry(lineNumber, columnNumber);
    return 'originalSource' in entry ? entry.originalSource : file;
  };
};

/** Own time by source file, microseconds, of the one profile in a folder. */
export const ownTimes = (folder: string): Map<string, number> => {
  const [name = ''] = readdirSync(folder).filter((file) => file.endsWith('.cpuprofile'));
  const { nodes, samples, timeDeltas } = profileShape.parse(JSON.parse(readFileSync(join(folder, name), 'utf8')));
  const locate = createLocator();
  const places = new Map(nodes.map(({ id, callFrame }) => [id, locate(callFrame)]));
  const times = new Map<string, number>();
  for (const [at, id] of samples.entries()) {
    const place = places.get(id) ?? '(unknown)';
    times.set(place, (times.get(place) ?? 0) + (timeDeltas[at] ?? 0));
  }
  return times;
};
