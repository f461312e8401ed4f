// Arguments as they may be recorded: secrets masked, sizes bounded. Writes JSON text directly; nothing is copied first.

import { createNameCheck, hidesField, type Mask } from '../kit/field-names.ts';

const MAX_STRING = 1024;
/** A long text is masked this far before it is cut, so that no part of a secret is left at the cut. */
const MASKED_AHEAD = 16_384;
const MAX_BYTES = 8192;
const MAX_DEPTH = 12;
const SECRET_MANIFEST = /\bkind["']?\s*:\s*["']?Secret\b/;

export interface MaskOptions {
  /** Masks secret values that the server knows. */
  readonly mask: Mask;
  /** Names whose values are masked, whatever their type. */
  readonly fields: readonly string[];
  readonly maskValue: string;
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> => typeof value === 'object' && value !== null;

/** Makes the function that turns arguments into JSON text of at most about 10 KB. */
export const createMasker = ({ mask, fields, maskValue }: MaskOptions): ((value: unknown) => string) => {
  const isField = createNameCheck(fields);
  const { hides } = mask;
  const masked = JSON.stringify(maskValue);
  const toText = (text: string): string => {
    if (SECRET_MANIFEST.test(text.length > MASKED_AHEAD ? text.slice(0, MASKED_AHEAD) : text)) return masked;
    if (text.length <= MAX_STRING) return JSON.stringify(mask(text));
    const start = mask(text.slice(0, MASKED_AHEAD));
    const room = text.length > MASKED_AHEAD ? Math.min(MAX_STRING, Math.floor(start.length / 2)) : MAX_STRING;
    return JSON.stringify(start.length <= room ? start : `${start.slice(0, room)}... (cut, ${text.length} characters)`);
  };
  return (input) => {
    let left = MAX_BYTES;
    const write = (value: unknown, depth: number): string => {
      if (typeof value === 'string') {
        const text = toText(value);
        left -= text.length;
        return text;
      }
      if (typeof value === 'number' || typeof value === 'boolean' || value === null) {
        left -= 8;
        return JSON.stringify(value);
      }
      if (!isRecord(value)) return 'null';
      if (depth >= MAX_DEPTH) return '"(cut, too deep)"';
      return Array.isArray(value) ? writeArray(value, depth) : writeObject(value, depth);
    };
    const writeArray = (items: readonly unknown[], depth: number): string => {
      let text = '[';
      for (let index = 0; index < items.length; index += 1) {
        if (left <= 0) return `${text}${index === 0 ? '' : ','}"(cut, ${items.length} items)"]`;
        text += `${index === 0 ? '' : ','}${write(items[index], depth + 1)}`;
        left -= 1;
      }
      return `${text}]`;
    };
    const writeObject = (fieldsOf: Readonly<Record<string, unknown>>, depth: number): string => {
      const hidesData = fieldsOf['kind'] === 'Secret';
      let text = '{';
      for (const name in fieldsOf) {
        const value = fieldsOf[name];
        if (value === undefined) continue;
        const comma = text === '{' ? '' : ',';
        if (left <= 0) return `${text}${comma}"...":"(cut, ${Object.keys(fieldsOf).length} fields)"}`;
        const key = JSON.stringify(name.length > 200 ? `${mask(name).slice(0, 200)}...` : mask(name));
        const isData = hidesData && (name === 'data' || name === 'stringData');
        const isHidden = isData || isField(name) || (hides !== undefined && hidesField(fieldsOf, name, hides));
        left -= key.length + 1;
        text += `${comma}${key}:${isHidden ? masked : write(value, depth + 1)}`;
      }
      return `${text}}`;
    };
    return write(input, 0);
  };
};
