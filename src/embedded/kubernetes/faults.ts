// Failures on purpose: what a test wants a request to run into, instead of an answer.
import { respond, respondFailure } from './respond.ts';
import { StatusError } from './status.ts';

export type FaultResponse =
  /** A Status with this code, reason and message. */
  | {
      readonly kind: 'status';
      readonly code: number;
      readonly reason?: string;
      readonly message?: string;
      readonly retryAfterSeconds?: number;
    }
  /** A page of a proxy that stands before the server. */
  | { readonly kind: 'html'; readonly code: number }
  /** 200 with a body that is no JSON. */
  | { readonly kind: 'invalid-json' }
  /** The real answer, cut off after so many bytes: the connection breaks. */
  | { readonly kind: 'cut'; readonly afterBytes: number }
  /** No answer until the client gives up or the server closes. */
  | { readonly kind: 'hang' }
  /** The real answer, but late. */
  | { readonly kind: 'delay'; readonly milliseconds: number }
  /** A list that goes on for so many bytes. */
  | { readonly kind: 'flood'; readonly bytes: number }
  /** Anything else. */
  | { readonly kind: 'response'; readonly response: () => Response };

export interface Fault {
  readonly match: (request: Request) => boolean;
  readonly respond: FaultResponse;
  /** How many requests it meets; all that match when absent. */
  readonly times?: number;
}

const REASONS: Readonly<Record<number, readonly [string, string]>> = {
  400: ['BadRequest', 'bad request'],
  401: ['Unauthorized', 'Unauthorized'],
  403: ['Forbidden', 'forbidden'],
  404: ['NotFound', 'the server could not find the requested resource'],
  409: ['Conflict', 'the object has been modified; please apply your changes to the latest version and try again'],
  410: ['Expired', 'The provided continue parameter is too old to display a consistent list result.'],
  422: ['Invalid', 'invalid'],
  429: ['TooManyRequests', 'Too many requests, please try again later.'],
  500: ['InternalError', 'an error on the server has prevented the request from succeeding'],
  503: ['ServiceUnavailable', 'the server is currently unable to handle the request'],
  504: ['Timeout', 'the server was unable to return a response in the time allotted'],
};

const PAGE =
  '<html>\r\n<head><title>503 Service Temporarily Unavailable</title></head>\r\n<body>\r\n<center><h1>503 Service Temporarily Unavailable</h1></center>\r\n</body>\r\n</html>\r\n';

interface ActiveFault {
  readonly fault: Fault;
  left: number;
}

export class Faults {
  readonly #active = new Set<ActiveFault>();
  readonly #held = new Set<() => void>();

  /** Adds a fault; the returned function takes it away. */
  inject(fault: Fault): () => void {
    const active = { fault, left: fault.times ?? Number.POSITIVE_INFINITY };
    this.#active.add(active);
    return () => {
      this.#active.delete(active);
    };
  }

  /** Answers by the first fault that matches, else as the server does. */
  async serve(request: Request, answer: () => Promise<Response>): Promise<Response> {
    const active = [...this.#active].find(({ fault, left }) => left > 0 && fault.match(request));
    if (active === undefined) return answer();
    active.left -= 1;
    return this.#fail(request, active.fault.respond, answer);
  }

  /** Ends all requests that are held. */
  close(): void {
    for (const release of [...this.#held]) release();
  }

  async #fail(request: Request, fault: FaultResponse, answer: () => Promise<Response>): Promise<Response> {
    switch (fault.kind) {
      case 'status':
        return statusOf(request, fault);
      case 'html':
        return new Response(PAGE.replaceAll('503', String(fault.code)), { status: fault.code, headers: { 'content-type': 'text/html' } });
      case 'invalid-json':
        return new Response('{"kind":"PodList","apiVersion":"v1","items":[{', { headers: { 'content-type': 'application/json' } });
      case 'cut':
        return cut(await answer(), fault.afterBytes);
      case 'hang':
        await this.#hold(request);
        return respond(request, new StatusError(504, 'Timeout', 'the request was held until the server closed').toStatus(), {
          status: 504,
        });
      case 'delay':
        await this.#hold(request, fault.milliseconds);
        return answer();
      case 'flood':
        return flood(fault.bytes);
      default:
        return fault.response();
    }
  }

  /** Waits for the time, the client's leave, or the server's end. */
  #hold(request: Request, milliseconds?: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = milliseconds === undefined ? undefined : setTimeout(() => release(), milliseconds);
      const release = (): void => {
        clearTimeout(timer);
        this.#held.delete(release);
        request.signal.removeEventListener('abort', release);
        resolve();
      };
      this.#held.add(release);
      request.signal.addEventListener('abort', release, { once: true });
    });
  }
}

const statusOf = (request: Request, fault: Extract<FaultResponse, { kind: 'status' }>): Promise<Response> => {
  const [reason = '', message = ''] = REASONS[fault.code] ?? [];
  const details = fault.retryAfterSeconds === undefined ? {} : { details: { retryAfterSeconds: fault.retryAfterSeconds } };
  return respondFailure(request, new StatusError(fault.code, fault.reason ?? reason, fault.message ?? message, details));
};

/** Answers that are to be cut, with the place where a listener leaves the means to do so. */
const breakers = new WeakMap<Response, { breakOff?: () => void }>();

/** Tells how to break the connection of an answer, which is done should the answer be one to be cut. */
export const onCut = (response: Response, breakOff: () => void): void => {
  const breaker = breakers.get(response);
  if (breaker !== undefined) breaker.breakOff = breakOff;
};

/** The beginning of an answer whose connection then breaks. */
const cut = async (response: Response, bytes: number): Promise<Response> => {
  const whole = new Uint8Array(await response.arrayBuffer());
  const breaker: { breakOff?: () => void } = {};
  let isSent = false;
  const body = new ReadableStream<Uint8Array>({
    pull: (controller) => {
      if (!isSent) controller.enqueue(whole.slice(0, bytes));
      else if (breaker.breakOff === undefined) controller.error(new Error('the connection was cut on purpose'));
      else breaker.breakOff();
      isSent = true;
    },
  });
  const headers = new Headers(response.headers);
  headers.delete('content-length');
  // Chunked, so that the listener sends the beginning before it reads on.
  headers.set('transfer-encoding', 'chunked');
  const broken = new Response(body, { status: response.status, headers });
  breakers.set(broken, breaker);
  return broken;
};

const CHUNK = `${'{"metadata":{"name":"flood","namespace":"flood","labels":{"app":"flood"}},"spec":{},"status":{}},'.repeat(640)}\n`;

/** A list of the wished length, made while it is sent. */
const flood = (bytes: number): Response => {
  const encoder = new TextEncoder();
  const chunk = encoder.encode(CHUNK);
  let left = bytes;
  const body = new ReadableStream<Uint8Array>({
    start: (controller) =>
      controller.enqueue(encoder.encode('{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"1"},"items":[')),
    pull: (controller) => {
      if (left > 0) {
        controller.enqueue(chunk);
        left -= chunk.length;
        return;
      }
      controller.enqueue(encoder.encode('{"metadata":{"name":"last","namespace":"flood"}}]}'));
      controller.close();
    },
  });
  return new Response(body, { headers: { 'content-type': 'application/json' } });
};
