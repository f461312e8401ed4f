// The server's side of a WebSocket (RFC 6455) on a socket that HTTP has let go: frames in, frames out, nothing more.
import { createHash } from 'node:crypto';
import type { Duplex } from 'node:stream';

const MAGIC = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

/** A message of a client may not be longer: kubectl sends pieces of 32 KiB. */
const LONGEST = 1024 * 1024;

const OPCODES = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

export interface WebSocketEvents {
  readonly onMessage: (data: Buffer) => void;
  /** Once, whoever ended it. */
  readonly onClose: () => void;
}

export interface ServerSocket {
  send(data: Buffer): void;
  /** Says goodbye and ends the connection. */
  close(code?: number): void;
  /** Ends the connection at once. */
  destroy(): void;
}

export interface Handshake {
  readonly key: string;
  readonly protocol: string;
}

const accept = ({ key, protocol }: Handshake): string =>
  [
    'HTTP/1.1 101 Switching Protocols',
    'Upgrade: websocket',
    'Connection: Upgrade',
    `Sec-WebSocket-Accept: ${createHash('sha1').update(`${key}${MAGIC}`).digest('base64')}`,
    `Sec-WebSocket-Protocol: ${protocol}`,
    '\r\n',
  ].join('\r\n');

const frame = (opcode: number, data: Buffer): Buffer => {
  const { length } = data;
  if (length < 126) return Buffer.concat([Buffer.from([0x80 | opcode, length]), data]);
  const head = Buffer.alloc(length < 65_536 ? 4 : 10);
  head[0] = 0x80 | opcode;
  head[1] = length < 65_536 ? 126 : 127;
  if (length < 65_536) head.writeUInt16BE(length, 2);
  else head.writeBigUInt64BE(BigInt(length), 2);
  return Buffer.concat([head, data]);
};

interface Frame {
  readonly isLast: boolean;
  readonly opcode: number;
  readonly data: Buffer;
  /** How many bytes it took. */
  readonly size: number;
}

/** The first whole frame of the bytes; undefined when more are needed, 'bad' for what no client may send. */
const readFrame = (bytes: Buffer): Frame | 'bad' | undefined => {
  if (bytes.length < 2) return undefined;
  const [first = 0, second = 0] = bytes;
  const short = second & 0x7f;
  const extra = short === 126 ? 2 : short === 127 ? 8 : 0;
  // Every frame of a client is masked; extensions were not agreed on.
  if ((second & 0x80) === 0 || (first & 0x70) !== 0) return 'bad';
  if (bytes.length < 2 + extra + 4) return undefined;
  const length = extra === 0 ? short : extra === 2 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2));
  if (length > LONGEST) return 'bad';
  const start = 2 + extra + 4;
  if (bytes.length < start + length) return undefined;
  const mask = bytes.subarray(2 + extra, start);
  const data = Buffer.from(bytes.subarray(start, start + length));
  for (let index = 0; index < length; index += 1) data[index] = (data[index] ?? 0) ^ (mask[index % 4] ?? 0);
  return { isLast: (first & 0x80) !== 0, opcode: first & 0x0f, data, size: start + length };
};

/** Answers the handshake and speaks from then on; `head` is what came with the request. */
export const acceptWebSocket = (
  socket: Duplex,
  head: Buffer,
  handshake: Handshake,
  { onMessage, onClose }: WebSocketEvents,
): ServerSocket => {
  let rest = Buffer.from(head);
  let pieces: Buffer[] = [];
  let isOpen = true;
  const end = (): void => {
    if (!isOpen) return;
    isOpen = false;
    onClose();
  };
  const write = (opcode: number, data: Buffer): void => {
    if (isOpen && socket.writable) socket.write(frame(opcode, data));
  };
  const close = (code = 1000): void => {
    if (!isOpen) return;
    const reason = Buffer.alloc(2);
    reason.writeUInt16BE(code);
    write(OPCODES.close, reason);
    socket.end();
    end();
  };
  const take = ({ isLast, opcode, data }: Frame): void => {
    if (opcode === OPCODES.ping) write(OPCODES.pong, data);
    else if (opcode === OPCODES.close) close();
    else if (opcode <= OPCODES.binary) {
      pieces.push(data);
      if (pieces.reduce((sum, piece) => sum + piece.length, 0) > LONGEST) close(1009);
      else if (isLast) {
        const message = Buffer.concat(pieces);
        pieces = [];
        onMessage(message);
      }
    }
  };
  const read = (chunk: Buffer): void => {
    rest = Buffer.concat([rest, chunk]);
    while (isOpen) {
      const next = readFrame(rest);
      if (next === undefined) return;
      if (next === 'bad') {
        close(1002);
        return;
      }
      rest = rest.subarray(next.size);
      take(next);
    }
  };
  socket.on('data', read);
  socket.on('close', end);
  socket.on('error', end);
  socket.write(accept(handshake));
  read(Buffer.alloc(0));
  return {
    send: (data) => write(OPCODES.binary, data),
    close,
    destroy: () => {
      socket.destroy();
      end();
    },
  };
};
