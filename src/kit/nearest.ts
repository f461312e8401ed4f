// Near names for errors that help.

/** Edit distance with transpositions (optimal string alignment), bounded by the shorter texts that names are. */
const distance = (a: string, b: string): number => {
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const same = a[row - 1] === b[column - 1];
      let best = Math.min((last[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1, (last[column - 1] ?? 0) + (same ? 0 : 1));
      if (row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]) {
        best = Math.min(best, (before[column - 2] ?? 0) + 1);
      }
      current.push(best);
    }
    before = last;
    last = current;
  }
  return last[b.length] ?? 0;
};

/** The names closest to `wanted`, best first: those that contain it, or differ in few characters. */
export const nearestNames = (wanted: string, names: Iterable<string>, most = 5): string[] => {
  const text = wanted.slice(0, 80).toLowerCase();
  const bound = Math.max(2, Math.floor(text.length / 3));
  return [...new Set(names)]
    .map((name) => {
      const lower = name.toLowerCase();
      const part = text.length >= 3 && (lower.includes(text) || text.includes(lower));
      return { name, score: part ? Math.min(bound, Math.abs(lower.length - text.length) / 10) : distance(text, lower.slice(0, 120)) };
    })
    .filter(({ score }) => score <= bound)
    .sort((a, b) => a.score - b.score || a.name.localeCompare(b.name))
    .slice(0, most)
    .map(({ name }) => name);
};
