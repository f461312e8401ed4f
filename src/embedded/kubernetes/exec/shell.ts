// `sh -c`: words, quotes, variables, `;`, `&&`, `||`, `|` and the redirections that people type. No loops, no substitution.
import type { Process } from './programs.ts';

type Run = (process: Process, words: readonly string[]) => Promise<number>;

interface Token {
  readonly text: string;
  /** Operators stand for themselves; a quoted one is a word. */
  readonly isOperator: boolean;
}

const OPERATOR = /^(&&|\|\||[;|\n]|2>&1|>&2|1>&2|2>\/dev\/null|>\/dev\/null)/;

class SyntaxFault extends Error {}

type Lookup = (name: string) => string;

/** Reads a quoted part from its quote on; gives the text and the place after it. */
const readQuoted = (script: string, start: number, lookup: Lookup): { text: string; next: number } => {
  const quote = script[start] ?? '';
  const end = script.indexOf(quote, start + 1);
  if (end === -1) throw new SyntaxFault('unterminated quoted string');
  const inner = script.slice(start + 1, end);
  return { text: quote === "'" ? inner : expand(inner, lookup), next: end + 1 };
};

const expand = (text: string, lookup: Lookup): string =>
  text.replace(/\$(?:\{([A-Za-z_]\w*)\}|([A-Za-z_]\w*|[?$]))/g, (_, braced: string | undefined, plain: string | undefined) =>
    lookup(braced ?? plain ?? ''),
  );

const tokenize = (script: string, lookup: Lookup): Token[] => {
  const tokens: Token[] = [];
  let [word, hasWord, index] = ['', false, 0];
  const finish = (): void => {
    if (hasWord) tokens.push({ text: word, isOperator: false });
    [word, hasWord] = ['', false];
  };
  while (index < script.length) {
    const character = script[index] ?? '';
    const operator = OPERATOR.exec(script.slice(index))?.[0];
    if (operator !== undefined && (!hasWord || !/^\d/.test(operator))) {
      finish();
      tokens.push({ text: operator, isOperator: true });
      index += operator.length;
    } else if (/\s/.test(character)) {
      finish();
      index += 1;
    } else if (character === '"' || character === "'") {
      const { text, next } = readQuoted(script, index, lookup);
      [word, hasWord, index] = [word + text, true, next];
    } else {
      const plain = /^(\$[?$]|\$\{?\w*\}?|\\.|[^\s;|&"'$\\]+|.)/.exec(script.slice(index))?.[0] ?? character;
      const text = plain.startsWith('\\') ? plain.slice(1) : expand(plain, lookup);
      [word, hasWord, index] = [word + text, hasWord || text !== '' || plain.startsWith('\\'), index + plain.length];
    }
  }
  finish();
  return tokens;
};

interface Command {
  readonly words: string[];
  readonly redirections: string[];
}

const toCommands = (tokens: readonly Token[]): Command[] => {
  const commands: Command[] = [{ words: [], redirections: [] }];
  for (const { text, isOperator } of tokens) {
    if (isOperator && text === '|') commands.push({ words: [], redirections: [] });
    else commands.at(-1)?.[isOperator ? 'redirections' : 'words'].push(text);
  }
  return commands;
};

const redirected = (process: Process, redirections: readonly string[]): Process => {
  let { out, err } = process;
  for (const redirection of redirections) {
    if (redirection === '2>&1') err = out;
    else if (redirection === '>&2' || redirection === '1>&2') out = err;
    else if (redirection === '2>/dev/null') err = () => {};
    else out = () => {};
  }
  return { ...process, out, err };
};

/** Each command reads what the one before wrote. */
const runPipeline = async (process: Process, tokens: readonly Token[], run: Run): Promise<number> => {
  const commands = toCommands(tokens);
  let { input } = process;
  let code = 0;
  for (const [index, { words, redirections }] of commands.entries()) {
    let written = '';
    const isLast = index === commands.length - 1;
    const keep = (text: string): void => {
      written += text;
    };
    const out = isLast ? process.out : keep;
    if (words.length > 0) code = await run(redirected({ ...process, input, out }, redirections), words);
    const text = written;
    input = (async function* () {
      yield Buffer.from(text);
    })();
  }
  return code;
};

const EXIT = /^\d+$/;

/** Runs a script; its exit code is that of `exit`, or of its last command. */
export const runScript = async (process: Process, script: string, run: Run): Promise<number> => {
  const { environment } = process.container;
  let code = 0;
  const lookup: Lookup = (name) => (name === '?' ? String(code) : name === '$' ? '7' : (environment.get(name) ?? ''));
  // Variables of a command are read when its turn comes, so the script is cut first, with its quotes as they are.
  for (const { connector, text } of cut(script)) {
    if ((connector === '&&' && code !== 0) || (connector === '||' && code === 0)) continue;
    if (process.signal.aborted) return 137;
    try {
      const tokens = tokenize(text, lookup);
      const [first, second] = tokens;
      if (first?.text === 'exit' && !first.isOperator) return exitCode(process, second?.text, code);
      code = await runPipeline(process, tokens, run);
    } catch (error) {
      if (!(error instanceof SyntaxFault)) throw error;
      process.err(`sh: syntax error: ${error.message}\n`);
      return 2;
    }
  }
  return code;
};

const exitCode = ({ err }: Process, text: string | undefined, last: number): number => {
  if (text === undefined) return last;
  if (EXIT.test(text)) return Number(text) % 256;
  err(`sh: exit: line 0: Illegal number: ${text}\n`);
  return 2;
};

interface Part {
  /** What stands before it: `;` at the beginning. */
  readonly connector: string;
  readonly text: string;
}

/** The script at its `;`, `&&` and `||`, quotes respected. */
const cut = (script: string): Part[] => {
  const parts: Part[] = [];
  let [connector, text, quote, index] = [';', '', '', 0];
  while (index < script.length) {
    const character = script[index] ?? '';
    const operator = quote === '' ? /^(&&|\|\||;|\n)/.exec(script.slice(index))?.[0] : undefined;
    if (operator !== undefined) {
      parts.push({ connector, text });
      [connector, text, index] = [operator, '', index + operator.length];
      continue;
    }
    if (quote === '' && (character === '"' || character === "'")) quote = character;
    else if (character === quote) quote = '';
    [text, index] = [text + character, index + 1];
  }
  return [...parts, { connector, text }].filter((part) => part.text.trim() !== '');
};
