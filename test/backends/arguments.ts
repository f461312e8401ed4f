/** The command line: our own words come first, and what we do not know belongs to the program that `exec` and `test` run. */

export interface Arguments {
  readonly command: string;
  readonly names: readonly string[];
  readonly flags: ReadonlySet<string>;
  readonly texts: Readonly<Record<string, string>>;
  /** What is passed on. */
  readonly rest: readonly string[];
}

export interface Vocabulary {
  /** Options without a value. */
  readonly flags: readonly string[];
  /** Options with a value. */
  readonly texts: readonly string[];
  readonly names: readonly string[];
  /** Commands that pass on everything from `--`, or from the first word that is none of ours: npm takes one `--` for itself. */
  readonly passing: readonly string[];
}

/** Reads a command line; throws at a word that nobody knows. */
export function parseArguments([command = 'help', ...words]: readonly string[], vocabulary: Vocabulary): Arguments {
  const names: string[] = [];
  const flags = new Set<string>();
  const texts: Record<string, string> = {};
  let index = 0;
  for (; index < words.length; index++) {
    const word = words[index] ?? '';
    const [option = '', value] = word.startsWith('--') ? word.slice(2).split(/=(.*)/s) : [];
    if (vocabulary.flags.includes(option)) flags.add(option);
    else if (vocabulary.texts.includes(option)) texts[option] = value ?? neededValue(words[++index], word);
    else if (vocabulary.names.includes(word)) names.push(word);
    else break;
  }
  const rest = words.slice(words[index] === '--' ? index + 1 : index);
  if (rest.length > 0 && !vocabulary.passing.includes(command))
    throw new Error(`"${rest[0]}" is neither an option nor a backend; see help`);
  return { command, names, flags, texts, rest };
}

function neededValue(word: string | undefined, option: string): string {
  if (word === undefined) throw new Error(`${option} needs a value`);
  return word;
}
