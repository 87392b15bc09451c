/**
 * A server that speaks door A as badly as a test wants it to.
 *
 * It keeps its events and their ids like a good server does. How it treats the next stream or the next
 * poll is the test's choice: a manner is a function of the request and the response.
 */

import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../..', import.meta.url));

export class MisbehavingServer {
  /** Every request at the door, in order: `{path, since, header}`. */
  requests = [];
  /** How the next streams are treated, one each; after that `manner` holds. */
  next = [];
  manner = (request, response) => this.serve(request, response);
  pollManner = (request, response) => this.answerPoll(request, response);
  #events = [];
  #streams = new Set();
  #sockets = new Set();
  #server = createServer((request, response) => this.#handle(request, response));

  /** Listens, on the port it had before if it had one. */
  async start() {
    this.#server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
    });
    await this.#listen(0);
    return this;
  }

  async #listen(port) {
    await new Promise((ready) => this.#server.listen(port, '127.0.0.1', ready));
    this.port = this.#server.address().port;
    this.origin = `http://127.0.0.1:${this.port}`;
  }

  /** Nobody is there any more; what was connected is cut. */
  async vanish() {
    const closed = new Promise((done) => this.#server.close(done));
    this.cutAll();
    await closed;
  }

  async comeBack() {
    await this.#listen(this.port);
  }

  async stop() {
    this.#server.close();
    this.cutAll();
  }

  /** Cuts every connection as a broken network does. */
  cutAll() {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Takes an event and sends it to the streams that are served well. */
  publish(data, type = 'note') {
    const event = { id: `1700000000000-${this.#events.length + 1}`, type, data };
    this.#events.push(event);
    for (const response of this.#streams) response.write(block(event));
  }

  /** How many requests there were at a path. */
  count(path) {
    return this.requests.filter((request) => request.path === path).length;
  }

  // ---- Manners ----

  /** As a good server: greeting, what was missed, then what comes. */
  serve(request, response) {
    this.greet(request, response);
    this.#streams.add(response);
    response.on('close', () => this.#streams.delete(response));
  }

  /** The greeting and what was missed, then nothing. */
  greet(request, response, retry = 20) {
    const since = sinceOf(request);
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' });
    const id = since || this.#events.at(-1)?.id || '1700000000000-0';
    response.write(`id: ${id}\nretry: ${retry}\nevent: connected\ndata: {"connection_id":"c","session_id":"s"}\n\n`);
    for (const event of this.#after(since)) response.write(block(event));
  }

  /** No answer at all. */
  hangUp = (request) => request.socket.destroy();

  /** An answer that is no stream. */
  status = (code, problem = {}) => (request, response) => {
    response.writeHead(code, { 'content-type': 'application/problem+json' });
    response.end(JSON.stringify({ status: code, title: `Status ${code}`, ...problem }));
  };

  /** A proxy that keeps everything for itself. */
  holdBack = () => {};

  /** Cuts the connection after some bytes, in the middle of whatever it was. */
  cutAfter = (bytes) => (request, response) => {
    let left = bytes;
    const write = response.write.bind(response);
    response.write = (text) => {
      if (left <= 0) return false;
      const part = text.slice(0, left);
      left -= part.length;
      // The cut waits for the bytes before it, or the kernel might throw them away.
      return write(part, () => left <= 0 && request.socket.destroy());
    };
    this.serve(request, response);
  };

  /** Ends cleanly after what was missed. */
  endEarly = (request, response) => {
    this.greet(request, response);
    response.end();
  };

  /** Not now. */
  refuse = (retryMs) => (request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.end(`retry: ${retryMs}\nevent: system\ndata: {"type":"refused","reason":"max_connections","retry_ms":${retryMs}}\n\n`);
  };

  /** Stops: tells the streams that are served well when to come back, and ends them. */
  sendAway(retryMs) {
    const data = JSON.stringify({ type: 'reconnect', reason: 'shutdown', retry_ms: retryMs });
    for (const response of this.#streams) response.end(`retry: ${retryMs}\nevent: system\ndata: ${data}\n\n`);
  }

  answerPoll(request, response) {
    const since = sinceOf(request);
    const events = since ? this.#after(since).map(({ id, type, data }) => ({ id, event: type, data })) : [];
    if (since && events.length === 0) return void setTimeout(() => response.destroyed || this.answerPoll(request, response), 20);
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ events, last_event_id: this.#events.at(-1)?.id ?? '1700000000000-0', session_id: 's', subscriptions: [] }));
  }

  // ---- The rest ----

  #handle(request, response) {
    const { pathname: path } = new URL(request.url, this.origin);
    if (path === '/') return response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><title>Blank</title><link rel="icon" href="data:,">');
    if (path.startsWith('/static/')) return sendFile(path, response);
    this.requests.push({ path, since: sinceOf(request), header: request.headers['last-event-id'] });
    if (path === '/events/poll') return this.pollManner(request, response);
    (this.next.shift() ?? this.manner)(request, response);
  }

  #after(since) {
    const number = (id) => Number(id.split('-')[1]);
    return since ? this.#events.filter(({ id }) => number(id) > number(since)) : [];
  }
}

const block = ({ id, type, data }) => `id: ${id}\nevent: ${type}\ndata: ${JSON.stringify(data)}\n\n`;

/** Where the client left off: the browser says so in a header, our own attempts in the query. */
function sinceOf({ url, headers }) {
  const query = new URL(url, 'http://x').searchParams;
  return headers['last-event-id'] ?? query.get('last_event_id') ?? query.get('since');
}

async function sendFile(path, response) {
  const text = await readFile(`${root}${path}`).catch(() => null);
  response.writeHead(text ? 200 : 404, { 'content-type': 'text/javascript' }).end(text);
}
