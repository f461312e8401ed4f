// Bodies in Kubernetes' protobuf form, which kubectl and Helm send for built-in kinds (apimachinery, pkg/runtime/serializer/protobuf).
import { readDataFile } from '../data-files.ts';
import { isObject, type Json, type JsonObject, listAt, objectAt, parseJson, toMicroTime, toTime } from '../json.ts';
import { definitionOf } from '../schema.ts';

export const PROTOBUF = 'application/vnd.kubernetes.protobuf';

/** What every message begins with. */
const PREFIX = Buffer.from('k8s\0');

/** A message that cannot be read. */
export class ProtobufFault extends Error {}

/**
 * A field of a type: its name in JSON, its type, `list`, `map` or '', and how Go holds it: `p` as a pointer, `o` left out when zero.
 * Inlined ones have their own fields in the place of the object.
 */
interface Field {
  readonly name: string;
  readonly type: string;
  readonly shape: string;
  readonly holding: string;
  readonly isInline: boolean;
}

let types: JsonObject | undefined;

const fieldsOf = (type: string): JsonObject => {
  if (types === undefined) {
    const read = parseJson(readDataFile('protobuf.json.gz'));
    types = isObject(read) ? read : {};
  }
  return objectAt(types, type);
};

const fieldOf = (type: string, number: number): Field | undefined => {
  const parts = listAt(fieldsOf(type), String(number)).map(String);
  const [name = '', of = '', shape = '', holding = '', inline] = parts;
  return parts.length === 0 ? undefined : { name, type: of, shape, holding, isInline: inline === 'i' };
};

interface Entry {
  readonly number: number;
  /** Varints and fixed numbers as they are, everything else as bytes. */
  readonly value: bigint | number | Buffer;
}

/** The fields of a message in their order. */
const readEntries = (bytes: Buffer): Entry[] => {
  let at = 0;
  const varint = (): bigint => {
    let [value, shift] = [0n, 0n];
    for (;;) {
      const byte = bytes[at];
      if (byte === undefined || shift > 63n) throw new ProtobufFault('unexpected EOF');
      at += 1;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
      shift += 7n;
    }
  };
  const take = (length: number): Buffer => {
    if (length < 0 || at + length > bytes.length) throw new ProtobufFault('unexpected EOF');
    at += length;
    return bytes.subarray(at - length, at);
  };
  const entries: Entry[] = [];
  while (at < bytes.length) {
    const key = Number(varint());
    const [number, wire] = [key >>> 3, key & 7];
    if (wire === 0) entries.push({ number, value: varint() });
    else if (wire === 1) entries.push({ number, value: take(8).readDoubleLE() });
    else if (wire === 2) entries.push({ number, value: take(Number(varint())) });
    else if (wire === 5) entries.push({ number, value: take(4).readFloatLE() });
    else throw new ProtobufFault(`proto: illegal wireType ${wire}`);
  }
  return entries;
};

const bytesOf = (value: Entry['value'] | undefined): Buffer => (Buffer.isBuffer(value) ? value : Buffer.alloc(0));

const numbersOf = (bytes: Buffer): Map<number, Entry['value']> => new Map(readEntries(bytes).map(({ number, value }) => [number, value]));

const signed = (value: Entry['value'] | undefined): number =>
  typeof value === 'bigint' ? Number(BigInt.asIntN(64, value)) : Number(value ?? 0);

/** Null where the time is none. */
const timeOf = (bytes: Buffer, isMicro: boolean): Json => {
  const parts = numbersOf(bytes);
  const seconds = parts.get(1);
  if (seconds === undefined) return null;
  const milliseconds = signed(seconds) * 1000 + Math.floor(signed(parts.get(2)) / 1e6);
  return isMicro ? toMicroTime(milliseconds) : toTime(milliseconds);
};

const META = 'io.k8s.apimachinery.pkg.apis.meta.v1';

/** Types that JSON writes in a way of their own. */
const SPECIAL: Readonly<Record<string, (bytes: Buffer) => Json>> = {
  [`${META}.Time`]: (bytes) => timeOf(bytes, false),
  [`${META}.MicroTime`]: (bytes) => timeOf(bytes, true),
  [`${META}.FieldsV1`]: (bytes) => parseJson(bytesOf(numbersOf(bytes).get(1)).toString() || '{}'),
  'io.k8s.apimachinery.pkg.runtime.RawExtension': (bytes) => parseJson(bytesOf(numbersOf(bytes).get(1)).toString() || 'null'),
  'io.k8s.apimachinery.pkg.api.resource.Quantity': (bytes) => bytesOf(numbersOf(bytes).get(1)).toString(),
  'io.k8s.apimachinery.pkg.util.intstr.IntOrString': (bytes) => {
    const parts = numbersOf(bytes);
    return signed(parts.get(1)) === 1 ? bytesOf(parts.get(3)).toString() : signed(parts.get(2));
  },
};

/** Lists that stand in a message of their own. */
const LISTS = /\.(ExtraValue|Verbs|AttestationValue)$/;

const jsonOf = (value: Entry['value'], type: string): Json => {
  if (type === 'bool') return signed(value) !== 0;
  if (!Buffer.isBuffer(value)) return signed(value);
  if (type === 'string') return value.toString();
  if (type === 'bytes') return value.toString('base64');
  if (LISTS.test(type)) return readEntries(value).map((entry) => bytesOf(entry.value).toString());
  return (SPECIAL[type] ?? ((bytes: Buffer) => toJson(bytes, type)))(value);
};

/** Go leaves out what is zero, save where it says otherwise. */
const isLeftOut = (value: Json, { holding }: Field): boolean =>
  value === null || (holding === 'o' && (value === '' || value === 0 || value === false));

const toJson = (bytes: Buffer, type: string): JsonObject => {
  const object: JsonObject = {};
  for (const { number, value } of readEntries(bytes)) {
    const field = fieldOf(type, number);
    if (field === undefined) continue;
    const { name } = field;
    if (field.isInline) Object.assign(object, toJson(bytesOf(value), field.type));
    else if (field.shape === 'list') object[name] = [...listAt(object, name), jsonOf(value, field.type)];
    else if (field.shape === 'map') {
      const pair = numbersOf(bytesOf(value));
      const item = pair.get(2) ?? Buffer.alloc(0);
      object[name] = { ...objectAt(object, name), [bytesOf(pair.get(1)).toString()]: jsonOf(item, field.type) };
    } else {
      const item = jsonOf(value, field.type);
      if (!isLeftOut(item, field)) object[name] = item;
    }
  }
  return object;
};

/** The object of a body, with its kind and version. */
export const decodeProtobuf = (body: Buffer): JsonObject => {
  if (!body.subarray(0, PREFIX.length).equals(PREFIX)) {
    throw new ProtobufFault(`provided data does not appear to be a protobuf message, expected prefix [${[...PREFIX].join(' ')}]`);
  }
  if (body.length === PREFIX.length) throw new ProtobufFault('empty body');
  const envelope = numbersOf(body.subarray(PREFIX.length));
  const meta = numbersOf(bytesOf(envelope.get(1)));
  const [apiVersion, kind] = [bytesOf(meta.get(1)).toString(), bytesOf(meta.get(2)).toString()];
  const definition = definitionOf(apiVersion, kind);
  // Definitions of custom kinds have schemas of a form of their own: clients send them as JSON.
  if (definition === undefined || Object.keys(fieldsOf(definition)).length === 0)
    throw new ProtobufFault(`no kind ${JSON.stringify(kind)} is registered for version ${JSON.stringify(apiVersion)}`);
  return { kind, apiVersion, ...toJson(bytesOf(envelope.get(2)), definition) };
};
