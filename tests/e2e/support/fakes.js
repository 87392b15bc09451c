/**
 * A world for tidings.js in which a test is the clock, the network and the browser.
 */

/** Timers that fire only when the test lets time pass. */
export class FakeClock {
  #now = 1_700_000_000_000;
  #timers = new Set();

  now = () => this.#now;

  after = (ms, action) => {
    const timer = { at: this.#now + ms, action };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  };

  /** Lets `ms` pass, firing what is due in its order, and lets promises settle after each. */
  async pass(ms) {
    const end = this.#now + ms;
    for (;;) {
      await settle();
      const next = [...this.#timers].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (!next) break;
      this.#now = Math.max(this.#now, next.at);
      this.#timers.delete(next);
      next.action();
    }
    this.#now = end;
    await settle();
  }
}

/** Lets everything that waits for a promise run. */
export const settle = () => new Promise((done) => setImmediate(done));

/** What a browser's EventSource shows to scripts; the test plays the browser's part. */
export class FakeEventSource {
  readyState = 0;
  #listeners = new Map();
  #lastEventId = '';

  constructor(url) {
    this.url = url;
  }

  addEventListener(name, listener) {
    this.#listeners.set(name, [...(this.#listeners.get(name) ?? []), listener]);
  }

  close() {
    this.readyState = 2;
  }

  /** An event arrives; without an id it shows the last one, as browsers do. */
  send(type, data, id) {
    this.readyState = 1;
    this.#lastEventId = id ?? this.#lastEventId;
    const text = typeof data === 'string' ? data : JSON.stringify(data);
    this.#fire(type, { type, data: text, lastEventId: this.#lastEventId });
  }

  greet(id = '1-0') {
    this.send('connected', { connection_id: 'c', session_id: 's', subscriptions: [] }, id);
  }

  /** The connection is lost; the browser tries again by itself. */
  interrupt() {
    this.readyState = 0;
    this.#fire('error', {});
  }

  /** The server answered with something that is no stream; the browser gives up. */
  reject() {
    this.readyState = 2;
    this.#fire('error', {});
  }

  #fire(name, event) {
    for (const listener of this.#listeners.get(name) ?? []) listener(event);
  }
}

/** A world, and what happened in it: the sources opened and the requests made, in order. */
export function fakeWorld() {
  const clock = new FakeClock();
  const world = { clock, sources: [], requests: [], online: true, hidden: false, news: new Map() };
  world.environment = {
    EventSource: class extends FakeEventSource {
      constructor(url) {
        super(url);
        world.sources.push(this);
      }
    },
    fetch: (url, options) => new Promise((answer, fail) => {
      options.signal.addEventListener('abort', () => fail(new Error('aborted')));
      world.requests.push({ url, answer: (status, body, headers = {}) => answer(response(status, body, headers)), fail });
    }),
    now: clock.now,
    after: clock.after,
    random: () => 0,
    isOnline: () => world.online,
    isHidden: () => world.hidden,
    on(name, action) {
      world.news.set(name, action);
      return () => world.news.delete(name);
    },
  };
  world.source = () => world.sources.at(-1);
  world.request = () => world.requests.at(-1);
  return world;
}

function response(status, body, headers) {
  return new Response(body === undefined ? null : JSON.stringify(body), { status, headers });
}
