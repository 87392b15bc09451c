/**
 * Long polling: what remains when streams keep failing, with the same ids and the same filters.
 *
 * Some proxies hold an event stream back until it ends. They let ordinary answers through, so asking
 * again and again still works; each question waits at the server until there is something to tell.
 */

import { message } from './message.js';
import { pauseBefore, retryAfter } from './backoff.js';

/** The server will say the same again: asking once more cannot help. */
const HOPELESS = new Set([400, 401, 403, 404, 405, 406, 410, 422]);

/** An empty answer that came sooner than this was not waited for, in milliseconds. */
const HASTE_MS = 1000;

/**
 * @typedef {object} PollAnswer
 * @property {boolean} ok
 * @property {boolean} hopeless Whether asking again is of no use.
 * @property {number} retryMs What the server asked us to wait, in milliseconds.
 * @property {object | null} body The answer, or the problem the server described.
 */

/**
 * Asks once. Never throws: a network that fails is an answer too.
 *
 * @param {string} url
 * @param {{environment: import('./environment.js').Environment, timings: import('./timings.js').Timings, withCredentials: boolean}} context
 * @param {AbortSignal} [signal]
 * @returns {Promise<PollAnswer>}
 */
export async function ask(url, { environment, timings, withCredentials }, signal) {
  const deadline = new AbortController();
  const cancelDeadline = environment.after(timings.pollMs, () => deadline.abort());
  const follow = () => deadline.abort();
  signal?.addEventListener('abort', follow);
  try {
    const response = await environment.fetch(url, {
      headers: { accept: 'application/json' },
      credentials: withCredentials ? 'include' : 'same-origin',
      cache: 'no-store',
      signal: deadline.signal,
    });
    return await answerOf(response, environment.now());
  } catch {
    return { ok: false, hopeless: false, retryMs: 0, body: null };
  } finally {
    cancelDeadline();
    signal?.removeEventListener('abort', follow);
  }
}

async function answerOf(response, nowMs) {
  const body = await response.json().catch(() => null);
  return {
    // A proxy's friendly error page with status 200 is not an answer.
    ok: response.ok && Array.isArray(body?.events),
    hopeless: HOPELESS.has(response.status),
    retryMs: retryAfter(response.headers.get('retry-after'), nowMs),
    body: body ?? { status: response.status, title: response.statusText || `Status ${response.status}` },
  };
}

/**
 * @typedef {object} PollOwner
 * @property {(since: string | null) => string} url Where to ask for what comes after `since`.
 * @property {() => string | null} since
 * @property {(event: import('./message.js').Message) => void} onEvent
 * @property {(answer: object) => void} onAnswer After the events of one answer were handed over.
 * @property {(failure: {attempt: number, retryAt: number}) => void} onFailure It will ask again at that time.
 * @property {(retryAt: number) => void} onRestart The server stops; it will ask again at that time.
 * @property {(problem: object) => void} onHopeless The last call.
 */

export class Poll {
  #context;
  #owner;
  #failures = 0;
  #stop = new AbortController();
  #cancelPause = () => {};
  #pausing = false;
  #waitedFrom = -Infinity;

  /**
   * @param {{environment: import('./environment.js').Environment, timings: import('./timings.js').Timings, backoff: Required<import('./backoff.js').BackoffOptions>, withCredentials: boolean}} context
   * @param {PollOwner} owner
   */
  constructor(context, owner) {
    this.#context = context;
    this.#owner = owner;
    this.#ask();
  }

  /** Ends it without a word to the owner. */
  close() {
    this.#stop.abort();
    this.#cancelPause();
  }

  /** Ends a pause after a failure. */
  hurry() {
    if (!this.#pausing) return;
    this.#cancelPause();
    this.#ask();
  }

  async #ask() {
    this.#pausing = false;
    const since = this.#owner.since();
    // Without a place to go on from, an answer at once is right.
    this.#waitedFrom = since === null ? -Infinity : this.#context.environment.now();
    const { signal } = this.#stop;
    const answer = await ask(this.#owner.url(since), this.#context, signal);
    if (signal.aborted) return;
    if (answer.ok) this.#handOver(answer.body);
    else if (answer.hopeless) this.#owner.onHopeless(answer.body);
    else this.#pause(answer.retryMs);
  }

  #handOver(body) {
    const { environment, timings } = this.#context;
    this.#failures = 0;
    for (const { event, id, data } of body.events) {
      // A handler may have closed us.
      if (this.#stop.signal.aborted) return;
      this.#owner.onEvent(message({ type: event, data, id: id ?? null, receivedAt: environment.now(), via: 'poll' }));
    }
    if (this.#stop.signal.aborted) return;
    this.#owner.onAnswer(body);
    if (body.reconnect && body.retry_ms) return this.#stayAway(body.retry_ms);
    // A server that has nothing to tell and does not wait names a pause.
    const hasty = body.events.length === 0 && environment.now() - this.#waitedFrom < HASTE_MS;
    const pause = Math.max(timings.pollPauseMs, (hasty && body.retry_ms) || 0);
    this.#cancelPause = environment.after(pause, () => this.#ask());
  }

  /** A stopping server spreads its clients' return; nothing ends this pause early. */
  #stayAway(retryMs) {
    this.#owner.onRestart(this.#context.environment.now() + retryMs);
    this.#cancelPause = this.#context.environment.after(retryMs, () => this.#ask());
  }

  #pause(retryMs) {
    const { environment, backoff } = this.#context;
    this.#failures += 1;
    this.#pausing = true;
    const pause = Math.max(retryMs, pauseBefore(this.#failures, backoff, environment.random()));
    this.#owner.onFailure({ attempt: this.#failures, retryAt: environment.now() + pause });
    this.#cancelPause = environment.after(pause, () => this.#ask());
  }
}
