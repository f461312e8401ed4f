// Values in a text that stand behind the name of a field: in YAML, JSON, settings files, log lines.

const MASK = '***';
/** A field of YAML at the beginning of a line. */
const YAML_FIELD = /^([ \t]*(?:- )*)(["']?)([\w./-]{1,100})\2:(?=[ \t]|$)(.*)$/;
/** A name before a value, quoted or not, also with the escapes of JSON in JSON. */
const NAME = /(?<![\w./-])([\w./-]{1,100})\\{0,3}["']?[ \t]{0,10}[:=][ \t]{0,10}/g;
/** In quotes, or until the next space or separator. */
const VALUE = /"(?:[^"\\\n]|\\.)*"|'[^'\n]*'|\\{1,3}"(?:(?!\\{1,3}")[^\n])*\\{1,3}"|[^\s"',;&}\])\\]+/y;

const indentOf = (line: string): number => line.length - line.trimStart().length;

/** A value in the quotes that it had. */
const toMasked = (value: string): string => {
  const [, quote = ''] = /^(\\{0,3}["'])/.exec(value) ?? [];
  return `${quote}${MASK}${quote}`;
};

/** Masks values by the names of their fields; a text keeps its number of lines. */
export const createFieldMask = (hides: (name: string) => boolean): ((text: string) => string) => {
  const maskPairs = (line: string): string => {
    let masked = '';
    let at = 0;
    NAME.lastIndex = 0;
    // The value of another name is searched too: it may be JSON in a string.
    for (let found = NAME.exec(line); found !== null; found = NAME.exec(line)) {
      VALUE.lastIndex = NAME.lastIndex;
      const [value] = (hides(found[1] ?? '') ? VALUE.exec(line) : undefined) ?? [];
      if (value === undefined) continue;
      masked += line.slice(at, NAME.lastIndex) + toMasked(value);
      at = NAME.lastIndex + value.length;
      NAME.lastIndex = at;
    }
    return masked + line.slice(at);
  };
  return (text) => {
    // Where the lines lie that belong to a masked field of YAML: deeper than it, or items of its list.
    let below: { readonly indent: number; readonly isItem: boolean } | undefined;
    const maskLine = (line: string): string => {
      if (below !== undefined && line.trim() === '') return line;
      const indent = indentOf(line);
      const isBelow = below !== undefined && (indent > below.indent || (indent === below.indent && !below.isItem && /^\s*- /.test(line)));
      if (isBelow) return `${line.slice(0, indent)}${MASK}`;
      below = undefined;
      const [, lead = '', quote = '', name, rest = ''] = YAML_FIELD.exec(line) ?? [];
      if (name === undefined || !hides(name)) return maskPairs(line);
      below = { indent: lead.length, isItem: lead.includes('- ') };
      return rest.trim() === '' ? line : `${lead}${quote}${name}${quote}: ${MASK}`;
    };
    return text.split('\n').map(maskLine).join('\n');
  };
};
