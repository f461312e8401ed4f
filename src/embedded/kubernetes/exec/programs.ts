// The few programs of a simulated container, as BusyBox has them. Nothing runs on the host.
import type { Container } from './container.ts';
import { runScript } from './shell.ts';

export interface Process {
  readonly container: Container;
  readonly clock: () => number;
  readonly input: AsyncIterable<Buffer>;
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  /** Aborted when the conversation ends. */
  readonly signal: AbortSignal;
}

/** Gives its exit code. */
export type Program = (process: Process, args: readonly string[]) => number | Promise<number>;

/** Directories that every image has. */
const ROOT = ['bin', 'dev', 'etc', 'proc', 'root', 'sys', 'tmp', 'usr', 'var'];

const absolute = ({ container }: Process, path: string): string => {
  const whole = path.startsWith('/') ? path : `${container.directory}/${path}`;
  const parts: string[] = [];
  for (const part of whole.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return `/${parts.join('/')}`;
};

/** Names in a directory; undefined when there is no such directory. */
const namesIn = ({ container }: Process, path: string): string[] | undefined => {
  const prefix = path === '/' ? '/' : `${path}/`;
  const found = new Set(path === '/' ? ROOT : path === '/bin' ? Object.keys(PROGRAMS) : []);
  for (const file of container.files.keys()) if (file.startsWith(prefix)) found.add(file.slice(prefix.length).split('/')[0] ?? '');
  const isKnown = found.size > 0 || ROOT.includes(path.slice(1)) || path === container.directory;
  return isKnown ? [...found].sort() : undefined;
};

const flagsOf = (args: readonly string[]): { flags: string; paths: string[] } => ({
  flags: args.filter((arg) => /^-./.test(arg)).join(''),
  paths: args.filter((arg) => !/^-./.test(arg)),
});

const cat: Program = async (process, args) => {
  const { container, out, err, input } = process;
  let code = 0;
  for (const path of args.length === 0 ? ['-'] : args) {
    const place = absolute(process, path);
    const content = container.files.get(place);
    if (path === '-') for await (const chunk of input) out(chunk.toString());
    else if (content !== undefined) out(content);
    else {
      err(
        namesIn(process, place) === undefined
          ? `cat: can't open '${path}': No such file or directory\n`
          : 'cat: read error: Is a directory\n',
      );
      code = 1;
    }
  }
  return code;
};

const ls: Program = (process, args) => {
  const { container, out, err } = process;
  const { flags, paths } = flagsOf(args);
  const wanted = paths.length === 0 ? ['.'] : paths;
  let code = 0;
  for (const path of wanted) {
    const place = absolute(process, path);
    const names = namesIn(process, place);
    if (container.files.has(place) || (names !== undefined && flags.includes('d'))) out(`${path}\n`);
    else if (names === undefined) {
      err(`ls: ${path}: No such file or directory\n`);
      code = 1;
    } else {
      const all = flags.includes('a') ? ['.', '..', ...names] : names;
      const shown = flags.includes('l') ? longLines(process, place, all) : all;
      const head = wanted.length > 1 ? `${path === wanted[0] ? '' : '\n'}${path}:\n` : '';
      out(head + shown.map((name) => `${name}\n`).join(''));
    }
  }
  return code;
};

const longLines = ({ container, clock }: Process, place: string, names: readonly string[]): string[] => {
  const now = new Date(clock());
  const time = `${MONTHS[now.getUTCMonth()]} ${String(now.getUTCDate()).padStart(2)} ${now.toISOString().slice(11, 16)}`;
  const lines = names.map((name) => {
    const content = container.files.get(`${place === '/' ? '' : place}/${name}`);
    const size = String(content === undefined ? 4096 : Buffer.byteLength(content)).padStart(9);
    return `${content === undefined ? 'drwxr-xr-x' : '-rw-r--r--'}    1 0        0       ${size} ${time} ${name}`;
  });
  return ['total 0', ...lines];
};

const wc: Program = async ({ input, out }, [flag = '']) => {
  let text = '';
  for await (const chunk of input) text += chunk.toString();
  const counts = { '-l': text.split('\n').length - 1, '-w': text.split(/\s+/).filter(Boolean).length, '-c': Buffer.byteLength(text) };
  const all = Object.values(counts).map((count) => String(count).padStart(9));
  out(`${flag === '-l' || flag === '-w' || flag === '-c' ? counts[flag] : all.join(' ')}\n`);
  return 0;
};

const ps: Program = ({ container, out }, args) => {
  const line = (id: number, command: string): string => `${String(id).padStart(5)} ${String(container.user).padEnd(8)} ${command}\n`;
  out(`PID   USER     COMMAND\n${line(1, container.command)}${line(7, ['ps', ...args].join(' '))}`);
  return 0;
};

const echo: Program = ({ out }, args) => {
  const isBare = args[0] === '-n' || args[0] === '-ne' || args[0] === '-en';
  const isEscaped = /^-n?en?$/.test(args[0] ?? '');
  const text = args.slice(isBare || isEscaped ? 1 : 0).join(' ');
  const shown = isEscaped ? text.replaceAll('\\n', '\n').replaceAll('\\t', '\t').replaceAll('\\\\', '\\') : text;
  out(isBare ? shown : `${shown}\n`);
  return 0;
};

const env: Program = ({ container, out }) => {
  out([...container.environment].map(([name, value]) => `${name}=${value}\n`).join(''));
  return 0;
};

const id: Program = ({ container, out }, args) => {
  const { user } = container;
  const named = user === 0 ? '0(root)' : String(user);
  out(/^-[ugG]$/.test(args[0] ?? '') ? `${user}\n` : `uid=${named} gid=${named} groups=${named}\n`);
  return 0;
};

const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

const date: Program = ({ clock, out }, args) => {
  const now = new Date(clock());
  const two = (value: number): string => String(value).padStart(2, '0');
  const [day, time] = [`${now.getUTCFullYear()}-${two(now.getUTCMonth() + 1)}-${two(now.getUTCDate())}`, now.toISOString().slice(11, 19)];
  const parts: Readonly<Record<string, string>> = {
    ...{ Y: String(now.getUTCFullYear()), m: two(now.getUTCMonth() + 1), d: two(now.getUTCDate()) },
    ...{ H: time.slice(0, 2), M: time.slice(3, 5), S: time.slice(6), Z: 'UTC', s: String(Math.floor(now.getTime() / 1000)) },
    ...{ F: day, T: time, a: DAYS[now.getUTCDay()] ?? '', b: MONTHS[now.getUTCMonth()] ?? '', '%': '%' },
  };
  const format = args.find((arg) => arg.startsWith('+'))?.slice(1) ?? '%a %b %e %T %Z %Y';
  const text = format.replace(/%(.)/g, (whole, key: string) =>
    key === 'e' ? String(now.getUTCDate()).padStart(2) : (parts[key] ?? whole),
  );
  out(`${text}\n`);
  return 0;
};

/** Waits in real time, or until the conversation ends. */
const sleep: Program = async ({ err, signal }, [text = '']) => {
  if (!/^\d+(\.\d+)?s?$/.test(text)) {
    err(`sleep: invalid number '${text}'\n`);
    return 1;
  }
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, Math.min(Number.parseFloat(text) * 1000, 2 ** 31 - 1));
  signal.addEventListener('abort', () => resolve(), { once: true });
  await promise;
  clearTimeout(timer);
  return signal.aborted ? 137 : 0;
};

const hostname: Program = ({ container, out }, args) => {
  out(`${args[0] === '-i' ? String((container.pod['status'] as { podIP?: string } | undefined)?.podIP ?? '') : container.hostname}\n`);
  return 0;
};

const sh: Program = (process, args) => {
  if (args[0] === '-c') return runScript(process, args[1] ?? '', runProgram);
  return readScript(process);
};

/** A shell without a script reads it from its input. */
const readScript = async (process: Process): Promise<number> => {
  let script = '';
  for await (const chunk of process.input) script += chunk.toString();
  return runScript(process, script.trim().split('\n').join('; '), runProgram);
};

const PROGRAMS: Readonly<Record<string, Program>> = {
  ...{ cat, date, echo, env, hostname, id, ls, ps, sh, sleep, wc },
  true: () => 0,
  false: () => 1,
  pwd: ({ container, out }) => {
    out(`${container.directory}\n`);
    return 0;
  },
};

/** The program that a word means: a name that is found in the PATH, or a path. */
export const findProgram = (word: string): Program | undefined => {
  const name = word.replace(/^(\/usr)?(\/local)?\/s?bin\//, '');
  return Object.hasOwn(PROGRAMS, name) ? PROGRAMS[name] : undefined;
};

/** What a shell does with a word that is not built in. */
const runProgram = async (process: Process, [word = '', ...args]: readonly string[]): Promise<number> => {
  const program = findProgram(word);
  if (program !== undefined) return program(process, args);
  process.err(`sh: ${word}: not found\n`);
  return 127;
};

/** Why the runtime cannot start a command, in its own words; undefined when it can. */
export const whyNotStarted = ({ files }: Container, [word]: readonly string[]): string | undefined => {
  const failed = (text: string): string => `OCI runtime exec failed: exec failed: ${text}: unknown`;
  if (word === undefined) return failed('args must not be empty');
  if (findProgram(word) !== undefined) return undefined;
  const start = `unable to start container process: exec: ${JSON.stringify(word)}`;
  if (!word.includes('/')) return failed(`${start}: executable file not found in $PATH`);
  const isThere = [...files.keys()].some((file) => file === word || file.startsWith(`${word}/`)) || ROOT.includes(word.slice(1));
  return failed(isThere ? `${start}: permission denied` : `${start}: stat ${word}: no such file or directory`);
};
