// Label selectors: the grammar, checks and messages of apimachinery (pkg/labels/selector.go), and the object form that workloads use.
import { type Json, type JsonObject, objectsAt, textAt, textsAt } from './json.ts';
import { badRequest } from './status.ts';

export type Labels = Readonly<Record<string, string>>;

type Operator = 'in' | 'notin' | '=' | '==' | '!=' | '>' | '<' | 'exists' | '!';

interface Requirement {
  readonly key: string;
  readonly operator: Operator;
  readonly values: readonly string[];
}

export interface LabelSelector {
  readonly isEmpty: boolean;
  matches(labels: Labels): boolean;
  /** The canonical text, requirements sorted by key, as tables show it. */
  toString(): string;
}

interface Token {
  readonly type: 'end' | 'identifier' | 'symbol';
  readonly text: string;
}

const BINARY_OPERATORS = ['in', 'notin', '=', '==', '!=', 'gt', 'lt'];
const SYMBOLS = ['!=', '==', '=', '!', '(', ')', ',', '>', '<'];
const OPERATORS: Readonly<Record<string, Operator>> = { in: 'in', notin: 'notin', '=': '=', '==': '==', '!=': '!=', '>': '>', '<': '<' };

const NAME_FORMAT = '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]';
const NAME = new RegExp(`^${NAME_FORMAT}$`);
const PREFIX_FORMAT = '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*';
const PREFIX = new RegExp(`^${PREFIX_FORMAT}$`);
const CHARACTERS = "alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";
const KEY_HELP = `(e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '${NAME_FORMAT}')`;

/** What is wrong with a label key, in Kubernetes' words; undefined when nothing is. */
export const keyFault = (key: string): string | undefined => {
  const parts = key.split('/');
  if (parts.length > 2) {
    return `a valid label key must consist of ${CHARACTERS} ${KEY_HELP} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`;
  }
  const [prefix, name] = parts.length === 2 ? [parts[0], parts[1] ?? ''] : [undefined, key];
  const faults: string[] = [];
  if (prefix === '') faults.push('prefix part must be non-empty');
  else if (prefix !== undefined && !PREFIX.test(prefix)) faults.push(`prefix part ${subdomainFault}`);
  if (name === '') faults.push('name part must be non-empty');
  else if (name.length > 63) faults.push('name part must be no more than 63 bytes');
  if (!NAME.test(name)) faults.push(`name part must consist of ${CHARACTERS} ${KEY_HELP}`);
  return faults.length === 0 ? undefined : faults.join('; ');
};

const subdomainFault = `a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '${PREFIX_FORMAT}')`;

/** What is wrong with a label value; undefined when nothing is. */
export const valueFault = (value: string): string | undefined => {
  if (value.length > 63) return 'must be no more than 63 bytes';
  if (value === '' || NAME.test(value)) return undefined;
  return `a valid label must be an empty string or consist of ${CHARACTERS} (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(${NAME_FORMAT})?')`;
};

const tokenize = (text: string): Token[] => {
  const tokens: Token[] = [];
  let rest = text.trimStart();
  while (rest !== '') {
    const symbol = SYMBOLS.find((candidate) => rest.startsWith(candidate));
    const word = symbol ?? /^[^=!(),><\s]+/.exec(rest)?.[0] ?? rest;
    tokens.push({ type: symbol === undefined ? 'identifier' : 'symbol', text: word });
    rest = rest.slice(word.length).trimStart();
  }
  return [...tokens, { type: 'end', text: '' }];
};

const END: Token = { type: 'end', text: '' };

class Parser {
  readonly #tokens: readonly Token[];
  #position = 0;

  constructor(text: string) {
    this.#tokens = tokenize(text);
  }

  parse(): Requirement[] {
    const requirements: Requirement[] = [];
    while (this.#peek().type !== 'end') {
      const first = this.#peek();
      if (first.type !== 'identifier' && first.text !== '!') {
        throw badRequest(`found '${first.text}', expected: !, identifier, or 'end of string'`);
      }
      requirements.push(this.#requirement());
      const next = this.#take();
      if (next.type === 'end') break;
      if (next.text !== ',') throw badRequest(`found '${next.text}', expected: ',' or 'end of string'`);
      const after = this.#peek();
      if (after.type !== 'identifier' && after.text !== '!') throw badRequest(`found '${after.text}', expected: identifier after ','`);
    }
    return requirements;
  }

  #peek(): Token {
    return this.#tokens[this.#position] ?? END;
  }

  #take(): Token {
    const token = this.#peek();
    this.#position += 1;
    return token;
  }

  #requirement(): Requirement {
    let token = this.#take();
    const isNegated = token.text === '!' && token.type === 'symbol';
    if (isNegated) token = this.#take();
    if (token.type !== 'identifier') throw refuse(`found '${token.text}', expected: identifier`);
    const key = token.text;
    const fault = keyFault(key);
    if (fault !== undefined) throw refuse(`<nil>: Invalid value: "${key}": ${fault}`);
    const next = this.#peek();
    if (isNegated) return { key, operator: '!', values: [] };
    if (next.type === 'end' || next.text === ',') return { key, operator: 'exists', values: [] };
    const operator = this.#operator();
    const values = operator === 'in' || operator === 'notin' ? this.#set() : [this.#exact()];
    return checked({ key, operator, values: [...new Set(values)].sort() });
  }

  #operator(): Operator {
    const token = this.#take();
    const operator = OPERATORS[token.text];
    if (operator === undefined) throw refuse(`found '${token.text}', expected: ${BINARY_OPERATORS.join(', ')}`);
    return operator;
  }

  #exact(): string {
    const token = this.#peek();
    if (token.type === 'end' || token.text === ',') return '';
    this.#take();
    if (token.type !== 'identifier') throw refuse(`found '${token.text}', expected: identifier`);
    return token.text;
  }

  #set(): string[] {
    const open = this.#take();
    if (open.text !== '(') throw refuse(`found '${open.text}' expected: '('`);
    const values: string[] = [];
    let isValueDue = true;
    const first = this.#peek();
    if (first.type !== 'identifier' && first.text !== ',' && first.text !== ')')
      throw refuse(`found '${first.text}', expected: ',', ')' or identifier`);
    for (;;) {
      const token = this.#take();
      if (token.text === ')' && token.type === 'symbol') break;
      if (token.text === ',' && token.type === 'symbol') {
        if (isValueDue) values.push('');
        isValueDue = true;
      } else if (!isValueDue) {
        throw refuse(`found '${token.text}', expected: ',' or ')'`);
      } else if (token.type !== 'identifier') {
        throw refuse(`found '${token.text}', expected: ',', or identifier`);
      } else {
        values.push(token.text);
        isValueDue = false;
      }
    }
    return isValueDue ? [...values, ''] : values;
  }
}

const refuse = (why: string): Error => badRequest(`unable to parse requirement: ${why}`);

const checked = (requirement: Requirement): Requirement => {
  const { key, operator, values } = requirement;
  for (const [index, value] of values.entries()) {
    if ((operator === '>' || operator === '<') && !/^[-+]?\d+$/.test(value)) {
      throw refuse(`values[${index}]: Invalid value: "${value}": for 'Gt', 'Lt' operators, the value must be an integer`);
    }
    const fault = valueFault(value);
    if (fault !== undefined) throw refuse(`values[${index}][${key}]: Invalid value: "${value}": ${fault}`);
  }
  return requirement;
};

const isMet = ({ key, operator, values }: Requirement, labels: Labels): boolean => {
  const value = labels[key];
  switch (operator) {
    case 'exists':
      return value !== undefined;
    case '!':
      return value === undefined;
    case 'in':
    case '=':
    case '==':
      return value !== undefined && values.includes(value);
    case 'notin':
    case '!=':
      return value === undefined || !values.includes(value);
    default: {
      if (value === undefined || !/^[-+]?\d+$/.test(value)) return false;
      const difference = BigInt(value) - BigInt(values[0] ?? '0');
      return operator === '>' ? difference > 0n : difference < 0n;
    }
  }
};

const toText = ({ key, operator, values }: Requirement): string => {
  if (operator === 'exists') return key;
  if (operator === '!') return `!${key}`;
  if (operator === 'in' || operator === 'notin') return `${key} ${operator} (${values.join(',')})`;
  return `${key}${operator}${values[0] ?? ''}`;
};

const toSelector = (requirements: readonly Requirement[]): LabelSelector => {
  const sorted = requirements.toSorted((left, right) => (left.key < right.key ? -1 : left.key > right.key ? 1 : 0));
  return {
    isEmpty: sorted.length === 0,
    matches: (labels) => sorted.every((requirement) => isMet(requirement, labels)),
    toString: () => sorted.map(toText).join(','),
  };
};

/** Parses the `labelSelector` parameter; 400 with the server's own words when it is not one. */
export const parseLabelSelector = (text: string): LabelSelector => toSelector(new Parser(text).parse());

const EXPRESSION_OPERATORS: Readonly<Record<string, Operator>> = { In: 'in', NotIn: 'notin', Exists: 'exists', DoesNotExist: '!' };

/** A `metav1.LabelSelector` object: an empty one selects all, an absent one nothing. */
export const toLabelSelector = (selector: Json | undefined): LabelSelector => {
  if (selector === undefined || selector === null) return { isEmpty: false, matches: () => false, toString: () => '' };
  const equal = Object.entries(textsAt(selector, 'matchLabels')).map(
    ([key, value]): Requirement => ({ key, operator: '=', values: [value] }),
  );
  const expressions = objectsAt(selector, 'matchExpressions').map(toRequirement);
  return toSelector([...equal, ...expressions]);
};

const toRequirement = (expression: JsonObject): Requirement => {
  const operator = EXPRESSION_OPERATORS[textAt(expression, 'operator')] ?? 'exists';
  const values = Array.isArray(expression['values']) ? expression['values'].filter((value) => typeof value === 'string') : [];
  return { key: textAt(expression, 'key'), operator, values: values.toSorted() };
};

/** A plain map, as in Services and node selectors; an empty or absent one selects nothing there. */
export const hasLabels = (labels: Labels, wanted: Labels): boolean => Object.entries(wanted).every(([key, value]) => labels[key] === value);
