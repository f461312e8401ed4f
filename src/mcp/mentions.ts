// Words that name tools: a sentence that names a tool which the same list does not hold is left out.

const SERVICES = 'platform|kubernetes|helm|grafana|prometheus|kibana|elasticsearch|alertmanager|jaeger|opentelemetry|utilities';
const TOOL_NAME = new RegExp(`\\b(?:${SERVICES})_[a-z]+(?:_[a-z]+)*\\b`, 'g');

/** Names of tools in a text. */
export const mentionedTools = (text: string): string[] => [...new Set(text.match(TOOL_NAME) ?? [])];

const isComplete = (part: string, names: ReadonlySet<string>): boolean => mentionedTools(part).every((name) => names.has(name));

/** Drops the clauses (between `;`) and sentences that name an absent tool. */
export const withoutAbsentTools = (text: string, names: ReadonlySet<string>): string => {
  if (isComplete(text, names)) return text;
  const sentences = text.split(/(?<=\.)\s+/);
  const kept = sentences.flatMap((sentence) => {
    if (isComplete(sentence, names)) return [sentence];
    const clauses = sentence.replace(/\.$/, '').split(/;\s*/);
    const complete = clauses.filter((clause) => isComplete(clause, names));
    return complete.length === 0 || clauses.length === 1 ? [] : [`${complete.join('; ')}.`];
  });
  return kept.join(' ');
};
