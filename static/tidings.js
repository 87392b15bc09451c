/**
 * The browser's side of Tidings: events that keep arriving.
 *
 * ```js
 * import { Tidings } from '/static/tidings.js';
 *
 * const tidings = new Tidings({ subscribe: ['summary_complete', 'system'] });
 * tidings.on('summary_complete', ({ data }) => console.log(data.title));
 * tidings.on('gap', ({ data }) => console.warn('missed events', data.reason));
 * tidings.onStatus(({ state }) => console.log(state));
 * ```
 *
 * It holds one EventSource. When that fails it tries again after 1, 2, 4, 8 and 16 seconds, and
 * when the fifth attempt has failed it asks by long polling, from where it now and then tries the
 * stream again. Whatever way an event comes, it comes once and in order, and where the server can no
 * longer fill a hole it says so by a `gap` event. An ES module without dependencies; status dot,
 * toasts and progress bar are modules of their own beside it, exported here too.
 */

import { address } from './tidings/address.js';
import { defaultBackoff, pauseBefore } from './tidings/backoff.js';
import { browserEnvironment } from './tidings/environment.js';
import { Handlers } from './tidings/handlers.js';
import { SeenIds } from './tidings/message.js';
import { PageWatch } from './tidings/page-watch.js';
import { Poll, ask } from './tidings/poll.js';
import { StatusLine } from './tidings/status.js';
import { Stream } from './tidings/stream.js';
import { defaultTimings } from './tidings/timings.js';

export { browserEnvironment };
export { StatusDot } from './tidings/status-dot.js';
export { Toasts } from './tidings/toasts.js';
export { ProgressBar } from './tidings/progress-bar.js';

/** @typedef {import('./tidings/message.js').Message} Message */
/** @typedef {import('./tidings/status.js').Status} Status */
/** @typedef {import('./tidings/timings.js').Timings} Timings */

/** Heard even if nobody asked, because the client itself lives by them. */
const ownTypes = ['connected', 'gap', 'ping', 'system'];

/** Whether the server has set the time to come back. It is kept: all its clients came with us. */
const isPaced = (reason) => reason === 'refused' || reason === 'restarting';

export class Tidings {
  #options;
  #context;
  #backoff;
  #names;
  #handlers = new Handlers();
  #status;
  #page;
  #seen = new SeenIds();
  #lastEventId;
  #failures = 0;
  #stream = null;
  #trial = null;
  #poll = null;
  #cancelTimer = () => {};

  /**
   * @param {object} [options]
   * @param {string} [options.url='/events'] Where the stream is; polling asks at `<url>/poll`.
   * @param {string[]} [options.subscribe] The event types wanted; all that the server allows if absent.
   * @param {string} [options.session] The session, where the cookie cannot carry it.
   * @param {string} [options.lastEventId] Resume after this event.
   * @param {boolean} [options.history=true] Whether the door keeps what was missed. One that tells the present state
   *   instead (`/api/v1/sse/connect`) is not asked to resume, nor polled: its stream is tried for ever.
   * @param {boolean} [options.withCredentials=false] Send cookies to another origin too.
   * @param {boolean} [options.autoConnect=true] Connect at once.
   * @param {import('./tidings/backoff.js').BackoffOptions} [options.backoff]
   * @param {Partial<Timings>} [options.timings]
   * @param {import('./tidings/environment.js').Environment} [options.environment] For tests and simulations.
   */
  constructor({ backoff, timings, environment = browserEnvironment(), lastEventId, ...options } = {}) {
    this.#options = { url: '/events', withCredentials: false, history: true, ...options };
    this.#backoff = { ...defaultBackoff, ...backoff };
    this.#context = {
      environment,
      timings: { ...defaultTimings, ...timings },
      backoff: this.#backoff,
      withCredentials: this.#options.withCredentials,
    };
    this.#names = new Set([...ownTypes, 'message', ...(options.subscribe ?? [])]);
    this.#lastEventId = lastEventId ?? null;
    this.#status = new StatusLine(environment.now);
    this.#page = this.#watchPage();
    if (options.autoConnect !== false) this.connect();
  }

  /** @returns {Status} How it stands now. */
  get status() {
    return this.#status.current;
  }

  /** @returns {string | null} The newest event that was handed over. */
  get lastEventId() {
    return this.#lastEventId;
  }

  /**
   * Calls `handler` with every event of a type; `'*'` stands for all types that are listened for.
   *
   * @param {string} type
   * @param {(event: Message) => void} handler
   * @returns {() => void} Stops it.
   */
  on(type, handler) {
    if (type !== '*') this.#listen(type);
    return this.#handlers.on(type, handler);
  }

  /**
   * Calls `handler` now and whenever the status changes.
   *
   * @param {(status: Status) => void} handler
   * @returns {() => void} Stops it.
   */
  onStatus(handler) {
    return this.#status.watch(handler);
  }

  /** Begins, or begins anew after a failure; does nothing while it is at work. */
  connect() {
    if (this.status.state !== 'closed' && this.status.state !== 'failed') return;
    this.#failures = 0;
    this.#page.start();
    this.#openStream();
  }

  /** Ends it. The resume point is kept for the next `connect()`. */
  close() {
    this.#dropEverything();
    this.#page.stop();
    this.#status.become('closed', { attempt: 0 });
  }

  /** Drops the present connection and resumes at once after the last event. */
  reconnect() {
    if (this.status.state === 'closed') return this.connect();
    this.#failures = 0;
    this.#openStream();
  }

  /** Goes over to long polling now, as it would after the last failed attempt. */
  usePolling() {
    this.#page.start();
    this.#startPolling();
  }

  #listen(type) {
    this.#names.add(type);
    this.#stream?.listen(type);
    this.#trial?.listen(type);
  }

  // ---- The stream ----

  #openStream() {
    this.#dropEverything();
    this.#status.become('connecting', { attempt: this.#failures });
    this.#stream = this.#newStream({
      onGreeting: (greeting) => this.#opened(greeting),
      onEvent: (event) => this.#handOver(event),
      onInterruption: () => this.#status.become('connecting', { reason: 'unreachable' }),
      onEnd: (end) => this.#streamEnded(end),
    });
  }

  #newStream(owner) {
    const resume = this.#options.history ? this.#lastEventId : null;
    return new Stream(this.#url('', { last_event_id: resume }), this.#names, this.#context, owner);
  }

  #opened(greeting) {
    this.#status.become('open', {
      attempt: 0,
      connectionId: greeting.data?.connection_id ?? greeting.data?.connectionId ?? null,
      sessionId: greeting.data?.session_id ?? null,
    });
    this.#plan(this.#context.timings.stableMs, () => (this.#failures = 0));
    this.#handOver(greeting);
  }

  #streamEnded(end) {
    this.#stream = null;
    if (isPaced(end.reason)) return this.#wait(end, end.retryMs || this.#backoff.firstMs);
    // Without a network a failure tells nothing about the server.
    if (this.#context.environment.isOnline()) this.#failures += 1;
    if (!this.#options.history) return this.#tryAgain(end);
    if (this.#failures > this.#backoff.attempts) return this.#startPolling();
    if (end.reason === 'rejected') this.#askWhy(end);
    else this.#tryAgain(end);
  }

  #tryAgain(end) {
    const pause = pauseBefore(this.#failures, this.#backoff, this.#context.environment.random());
    this.#wait(end, Math.max(pause, end.retryMs));
  }

  #wait({ reason, detail }, ms) {
    const { environment } = this.#context;
    const details = { attempt: this.#failures, reason, problem: detail ? { detail } : null };
    if (environment.isOnline()) {
      this.#status.become('waiting', { ...details, retryAt: environment.now() + ms });
      this.#plan(ms, () => this.#openStream());
    } else {
      this.#status.become('offline', details);
      // A browser can be wrong about having no network (a server on the same machine): try, but rarely.
      this.#plan(this.#backoff.capMs, () => this.#openStream());
    }
  }

  /** EventSource hides why it was rejected; an ordinary request with the same filters does not. */
  async #askWhy(end) {
    this.#status.become('connecting', { attempt: this.#failures, reason: end.reason });
    this.#cancelTimer();
    const stop = new AbortController();
    this.#cancelTimer = () => stop.abort();
    const answer = await ask(this.#url('/poll'), this.#context, stop.signal);
    if (stop.signal.aborted) return;
    if (answer.hopeless) this.#fail(answer.body);
    else this.#tryAgain({ ...end, retryMs: Math.max(end.retryMs, answer.retryMs), detail: answer.body?.detail });
  }

  #fail(problem) {
    this.#dropEverything();
    this.#status.become('failed', { reason: 'rejected', problem });
  }

  // ---- Polling, and the way back ----

  #startPolling() {
    this.#dropEverything();
    this.#status.become('polling', { attempt: this.#failures });
    this.#poll = new Poll(this.#context, {
      url: (since) => this.#url('/poll', { since }),
      since: () => this.#lastEventId,
      onEvent: (event) => this.#handOver(event),
      onAnswer: (answer) => this.#polled(answer),
      onFailure: (failure) => this.#pollFailed(failure),
      onRestart: (retryAt) => this.#pollSentAway(retryAt),
      onHopeless: (problem) => this.#fail(problem),
    });
    this.#planTrial();
  }

  #polled(answer) {
    this.#lastEventId = answer.last_event_id ?? this.#lastEventId;
    if (this.status.state !== 'polling' || this.status.sessionId !== (answer.session_id ?? null)) {
      this.#status.become('polling', { attempt: 0, sessionId: answer.session_id ?? null });
    }
  }

  #pollFailed({ attempt, retryAt }) {
    const state = this.#context.environment.isOnline() ? 'waiting' : 'offline';
    this.#status.become(state, { attempt, retryAt, reason: 'unreachable' });
  }

  /** The server stops, and has set the time of our return: the next stream is not tried before it either. */
  #pollSentAway(retryAt) {
    this.#status.become('waiting', { reason: 'restarting', retryAt });
    const { timings, environment } = this.#context;
    if (!this.#trial) this.#plan(Math.max(timings.returnMs, retryAt - environment.now()), () => this.#tryStream());
  }

  #planTrial() {
    this.#plan(this.#context.timings.returnMs, () => this.#tryStream());
  }

  /** Polling goes on meanwhile. Both tell the same events in the same order, so the sum is right too. */
  #tryStream() {
    this.#trial = this.#newStream({
      onGreeting: (greeting) => this.#returnToStream(greeting),
      onEvent: (event) => this.#handOver(event),
      onInterruption: () => this.#status.become('connecting', { reason: 'unreachable' }),
      onEnd: (end) => this.#trialEnded(end),
    });
  }

  #returnToStream(greeting) {
    if (this.#poll) {
      this.#poll.close();
      this.#poll = null;
      [this.#stream, this.#trial] = [this.#trial, null];
    }
    this.#opened(greeting);
  }

  #trialEnded(end) {
    // Once it was open it is a stream like any other; its failures so far still count.
    if (!this.#trial) return this.#streamEnded(end);
    this.#trial = null;
    this.#planTrial();
  }

  // ---- Events ----

  #handOver(event) {
    if (event.type === 'gap') return this.#crossGap(event);
    if (event.type === 'connected') this.#lastEventId ??= event.id;
    else if (event.id !== null) {
      if (!this.#seen.add(event.id)) return;
      this.#lastEventId = event.id;
    }
    this.#handlers.tell(event.type, event);
  }

  /** What is in the gap cannot be had any more: what follows begins at its far side, and so do we. */
  #crossGap(event) {
    this.#lastEventId = event.data?.to ?? event.id ?? this.#lastEventId;
    if (event.data?.reason === 'restart') this.#seen.clear();
    this.#handlers.tell(event.type, event);
  }

  // ---- The page ----

  #watchPage() {
    const { environment, timings } = this.#context;
    return new PageWatch(environment, timings.hiddenMs, {
      hurry: () => this.#hurry(),
      hide: () => this.#hide(),
      leave: () => this.#dropEverything(),
      comeBack: () => this.#openStream(),
    });
  }

  #hurry() {
    const { state, reason } = this.status;
    if (this.#poll) this.#poll.hurry();
    // A server that asked for patience gets it.
    else if (state === 'offline' || (state === 'waiting' && !isPaced(reason))) this.#openStream();
  }

  #hide() {
    const { state } = this.status;
    if (state === 'closed' || state === 'failed') return;
    this.#dropEverything();
    this.#status.become('waiting', { reason: 'hidden' });
  }

  // ---- Odds and ends ----

  #url(path, query) {
    return address(this.#options, path, query);
  }

  /** One thing is planned at a time: what comes next. */
  #plan(ms, action) {
    this.#cancelTimer();
    this.#cancelTimer = this.#context.environment.after(ms, action);
  }

  #dropEverything() {
    this.#cancelTimer();
    for (const link of [this.#stream, this.#trial, this.#poll]) link?.close();
    this.#stream = this.#trial = this.#poll = null;
  }
}
