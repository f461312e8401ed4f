// The one place that knows where the data files are: beside this module in the source, and beside the bundle when published.
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';

/** Text of a file of `data/`, unpacked when its name ends with .gz. */
export const readDataFile = (name: string): string => {
  const bytes = readFileSync(new URL(`data/${name}`, import.meta.url));
  return (name.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8');
};
