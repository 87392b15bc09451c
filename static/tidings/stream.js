/**
 * One EventSource from its first attempt to its end.
 *
 * The browser reconnects by itself after a stream that worked was lost: it knows the server's
 * `retry:` and sends Last-Event-ID. We let it, once. When that attempt fails too, when the server
 * answers anything but an event stream, sends us away, or is not heard for too long, this stream ends
 * with a reason and its owner decides what comes next.
 */

import { message, parsed } from './message.js';

/**
 * @typedef {object} StreamEnd
 * @property {'unreachable' | 'rejected' | 'unstable' | 'silent' | 'unanswered' | 'refused' | 'restarting'} reason
 * @property {number} retryMs What the server asked us to wait, in milliseconds; 0 if it did not say.
 * @property {string} [detail] The server's own words.
 */

/**
 * @typedef {object} StreamOwner
 * @property {(greeting: import('./message.js').Message) => void} onGreeting The stream is open and proved it.
 * @property {(event: import('./message.js').Message) => void} onEvent
 * @property {() => void} onInterruption Lost; the browser is reconnecting.
 * @property {(end: StreamEnd) => void} onEnd The last call.
 */

const CLOSED = 2;

export class Stream {
  #environment;
  #timings;
  #owner;
  #source;
  #names = new Set();
  #greetedAt = null;
  #ids = new IdReader();
  #retryMs = 0;
  #cancelDeadline = () => {};

  /**
   * @param {string} url
   * @param {Iterable<string>} names The event types to listen for; a browser hides all others.
   * @param {{environment: import('./environment.js').Environment, timings: import('./timings.js').Timings, withCredentials: boolean}} context
   * @param {StreamOwner} owner
   */
  constructor(url, names, { environment, timings, withCredentials }, owner) {
    this.#environment = environment;
    this.#timings = timings;
    this.#owner = owner;
    this.#source = new environment.EventSource(url, { withCredentials });
    this.#source.addEventListener('error', () => this.#stumble());
    for (const name of names) this.listen(name);
    this.#expect('unanswered', timings.openingMs);
  }

  /** Also hands over events of this type. */
  listen(name) {
    // `open` and `error` are the browser's own events; an event of that name cannot be told apart.
    if (this.#names.has(name) || name === 'open' || name === 'error') return;
    this.#names.add(name);
    this.#source.addEventListener(name, (event) => this.#receive(name, event));
  }

  /** Ends it without a word to the owner. */
  close() {
    this.#cancelDeadline();
    this.#source.close();
    this.#owner = null;
  }

  #receive(type, event) {
    if (!this.#owner) return;
    this.#expect('silent', this.#timings.silenceMs);
    const received = message({
      type,
      data: parsed(event.data),
      id: this.#ids.read(type, event),
      receivedAt: this.#environment.now(),
      via: 'stream',
    });
    this.#hearPace(received);
    if (type === 'connected') this.#greet(received);
    else this.#owner.onEvent(received);
    const sentAway = reasonToLeave(received);
    if (sentAway) this.#end(sentAway, received.data.message ?? received.data.reason);
  }

  #greet(greeting) {
    this.#greetedAt = this.#environment.now();
    this.#owner.onGreeting(greeting);
  }

  /** The server may say how long to stay away; EventSource does not show its `retry:` to scripts. */
  #hearPace({ type, data }) {
    if (type === 'connected') this.#retryMs = 0;
    if (type === 'system' && Number.isFinite(data?.retry_ms)) this.#retryMs = Math.max(0, data.retry_ms);
  }

  #stumble() {
    if (!this.#owner) return;
    if (this.#source.readyState === CLOSED) return this.#end('rejected');
    if (this.#greetedAt === null) return this.#end('unreachable');
    if (this.#environment.now() - this.#greetedAt < this.#timings.stableMs) return this.#end('unstable');
    this.#greetedAt = null;
    this.#expect('unanswered', this.#timings.reopeningMs);
    this.#owner.onInterruption();
  }

  #expect(failure, ms) {
    this.#cancelDeadline();
    this.#cancelDeadline = this.#environment.after(ms, () => this.#end(failure));
  }

  #end(reason, detail) {
    const owner = this.#owner;
    if (!owner) return;
    this.close();
    owner.onEnd({ reason, retryMs: this.#retryMs, detail });
  }
}

/**
 * A stream that cannot be had now is answered by one event, and one whose server stops ends with one.
 * Neither is a failure. The browser would come back at the same time by itself; but a script could not
 * see when, and a first attempt that fails would count as a loss.
 */
function reasonToLeave({ type, data }) {
  if (type !== 'system') return null;
  return { refused: 'refused', reconnect: 'restarting' }[data?.type] ?? null;
}

/**
 * Tells an event's own id from one it inherits.
 *
 * EventSource shows the newest id it has heard, also on an event that came without one (a
 * heartbeat, a farewell). Such an event must not pass for a repeat of the one before it.
 */
class IdReader {
  #id = '';
  #content = null;

  /** @returns {string | null} */
  read(type, { lastEventId, data }) {
    if (!lastEventId || type === 'ping') return null;
    if (type === 'connected') return this.#mark(lastEventId, null);
    const content = `${type}\n${data}`;
    if (lastEventId !== this.#id) return this.#mark(lastEventId, content);
    // Right after a greeting, whose id is where we resumed, only `system` speaks without an id.
    const own = this.#content === null ? type !== 'system' : content === this.#content;
    return own ? lastEventId : null;
  }

  #mark(id, content) {
    this.#id = id;
    this.#content = content;
    return id;
  }
}
