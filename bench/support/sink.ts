// A process of its own: takes whatever is sent to it, as a collector of telemetry does, and forgets it.

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

const server = createServer((request, response) => {
  request.resume();
  request.once('end', () => response.writeHead(200, { 'content-type': 'application/json' }).end('{}'));
});
server.listen(0, '127.0.0.1', () => void process.stderr.write(`url=http://127.0.0.1:${(server.address() as AddressInfo).port}\n`));
