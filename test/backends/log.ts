/** Progress for people, on stderr, so that stdout carries results alone. */

/** Writes one line. */
export function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** Runs `work` between a line that names it and a line with its duration. */
export async function timed<T>(title: string, work: () => Promise<T>): Promise<T> {
  const start = performance.now();
  say(`${title} ...`);
  const result = await work();
  say(`${title}: ${((performance.now() - start) / 1000).toFixed(1)} s`);
  return result;
}
