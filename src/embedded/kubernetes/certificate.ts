// X.509 certificates, written by hand in DER: for the shop's Ingress, and for the TLS listener.
import { createECDH, createHash, createPrivateKey, type KeyObject } from 'node:crypto';

export interface CertificateOptions {
  /** The key follows from this text alone. */
  readonly seed: string;
  readonly commonName: string;
  /** DNS names, or IPv4 addresses. */
  readonly names: readonly string[];
  readonly notBefore: number;
  readonly notAfter: number;
  /** A certificate authority that signs itself. */
  readonly isAuthority?: boolean;
}

export interface Certificate {
  /** PEM. */
  readonly certificate: string;
  /** PEM, PKCS #8. */
  readonly key: string;
}

const tagged = (tag: number, ...parts: readonly Buffer[]): Buffer => {
  const content = Buffer.concat(parts);
  const { length } = content;
  if (length < 128) return Buffer.concat([Buffer.from([tag, length]), content]);
  const digits = Buffer.from(length.toString(16).padStart(length > 0xff ? 4 : 2, '0'), 'hex');
  return Buffer.concat([Buffer.from([tag, 0x80 | digits.length]), digits, content]);
};

const sequence = (...parts: readonly Buffer[]): Buffer => tagged(0x30, ...parts);
const set = (...parts: readonly Buffer[]): Buffer => tagged(0x31, ...parts);
const octets = (content: Buffer): Buffer => tagged(0x04, content);
const bits = (content: Buffer): Buffer => tagged(0x03, Buffer.from([0]), content);
const explicit = (number: number, content: Buffer): Buffer => tagged(0xa0 | number, content);
const TRUE = Buffer.from([0x01, 0x01, 0xff]);

/** Object identifiers in DER content octets. */
const OIDS = {
  commonName: '550403',
  ecPublicKey: '2a8648ce3d0201',
  prime256v1: '2a8648ce3d030107',
  ecdsaWithSha256: '2a8648ce3d040302',
  subjectAltName: '551d11',
  basicConstraints: '551d13',
  keyUsage: '551d0f',
  extendedKeyUsage: '551d25',
  serverAuth: '2b06010505070301',
} as const;

const oid = (name: keyof typeof OIDS): Buffer => tagged(0x06, Buffer.from(OIDS[name], 'hex'));

/** A positive INTEGER in its shortest form: a leading zero keeps the sign bit clear, and is there for nothing else. */
const integer = (content: Buffer): Buffer => {
  const start = content.findIndex((byte) => byte !== 0);
  const digits = content.subarray(start === -1 ? content.length - 1 : start);
  return tagged(0x02, (digits[0] ?? 0) > 0x7f ? Buffer.concat([Buffer.from([0]), digits]) : digits);
};

/** Two digits tell the year until 2049, from then on four do (RFC 5280, 4.1.2.5). */
const timeOf = (time: number): Buffer => {
  const text = `${new Date(time).toISOString().replace(/[-:T]/g, '').slice(0, 14)}Z`;
  return text < '2050' ? tagged(0x17, Buffer.from(text.slice(2))) : tagged(0x18, Buffer.from(text));
};

const distinguishedName = (commonName: string): Buffer => sequence(set(sequence(oid('commonName'), tagged(0x0c, Buffer.from(commonName)))));

const alternativeName = (name: string): Buffer => {
  const isAddress = /^\d+\.\d+\.\d+\.\d+$/.test(name);
  return isAddress ? tagged(0x87, Buffer.from(name.split('.').map(Number))) : tagged(0x82, Buffer.from(name));
};

const extensions = ({ names, isAuthority = false }: CertificateOptions): Buffer =>
  sequence(
    sequence(oid('basicConstraints'), TRUE, octets(sequence(...(isAuthority ? [TRUE] : [])))),
    // digitalSignature; an authority may also sign certificates.
    sequence(oid('keyUsage'), TRUE, octets(isAuthority ? Buffer.from([0x03, 0x02, 0x02, 0x84]) : Buffer.from([0x03, 0x02, 0x07, 0x80]))),
    sequence(oid('extendedKeyUsage'), octets(sequence(oid('serverAuth')))),
    sequence(oid('subjectAltName'), octets(sequence(...names.map(alternativeName)))),
  );

interface Pair {
  readonly secret: Buffer;
  readonly publicPoint: Buffer;
  readonly key: KeyObject;
}

const pairOf = (seed: string): Pair => {
  const curve = createECDH('prime256v1');
  curve.setPrivateKey(createHash('sha256').update(`embedded certificate ${seed}`).digest());
  const publicPoint = curve.getPublicKey();
  const jwk = {
    kty: 'EC',
    crv: 'P-256',
    x: publicPoint.subarray(1, 33).toString('base64url'),
    y: publicPoint.subarray(33).toString('base64url'),
    d: curve.getPrivateKey().toString('base64url'),
  };
  return { secret: curve.getPrivateKey(), publicPoint, key: createPrivateKey({ key: jwk, format: 'jwk' }) };
};

/** The order of the group of P-256. */
const ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

const toNumber = (bytes: Uint8Array): bigint => BigInt(`0x${Buffer.from(bytes).toString('hex')}`);
const toBytes = (number: bigint): Buffer => Buffer.from(number.toString(16).padStart(64, '0'), 'hex');

/** The inverse modulo the order, which is a prime: the power of two less than it. */
const inverse = (number: bigint): bigint => {
  let [result, base] = [1n, number];
  for (let exponent = ORDER - 2n; exponent > 0n; exponent >>= 1n) {
    if (exponent & 1n) result = (result * base) % ORDER;
    base = (base * base) % ORDER;
  }
  return result;
};

/** ECDSA with a nonce that follows from key and content: the same certificate is made again, which `crypto.sign` cannot do. */
const signOf = (content: Buffer, secret: Buffer): Buffer => {
  const nonce = toNumber(createHash('sha256').update(secret).update(content).digest()) % ORDER;
  const curve = createECDH('prime256v1');
  curve.setPrivateKey(toBytes(nonce));
  const r = toNumber(curve.getPublicKey().subarray(1, 33)) % ORDER;
  const digest = toNumber(createHash('sha256').update(content).digest());
  const s = (inverse(nonce) * (digest + r * toNumber(secret))) % ORDER;
  return sequence(integer(toBytes(r)), integer(toBytes(s)));
};

const toPem = (label: string, der: Buffer): string =>
  `-----BEGIN ${label}-----\n${der.toString('base64').replace(/(.{64})(?=.)/g, '$1\n')}\n-----END ${label}-----\n`;

/** A self-signed certificate with its key (ECDSA, P-256). */
export const createCertificate = (options: CertificateOptions): Certificate => {
  const { seed, commonName, notBefore, notAfter } = options;
  const { secret, publicPoint, key } = pairOf(seed);
  const algorithm = sequence(oid('ecdsaWithSha256'));
  const name = distinguishedName(commonName);
  const body = sequence(
    explicit(0, integer(Buffer.from([2]))),
    integer(createHash('sha256').update(`${seed}/${notBefore}`).digest().subarray(0, 16)),
    algorithm,
    name,
    sequence(timeOf(notBefore), timeOf(notAfter)),
    name,
    sequence(sequence(oid('ecPublicKey'), oid('prime256v1')), bits(publicPoint)),
    explicit(3, extensions(options)),
  );
  const certificate = sequence(body, algorithm, bits(signOf(body, secret)));
  return { certificate: toPem('CERTIFICATE', certificate), key: String(key.export({ type: 'pkcs8', format: 'pem' })) };
};
