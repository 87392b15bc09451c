/**
 * How the connection stands, in one word and its details, for people and for programs.
 */

import { guarded } from './handlers.js';

/**
 * `connecting`: an attempt is under way, or the browser reconnects. `open`: events flow.
 * `waiting`: until `retryAt`, or until the page is seen again. `polling`: events flow by long polling.
 * `offline`: the browser has no network. `failed`: the server will never agree, `problem` says why.
 * `closed`: by us, or not begun.
 *
 * @typedef {'closed' | 'connecting' | 'open' | 'waiting' | 'polling' | 'offline' | 'failed'} State
 */

/**
 * `unreachable`: no connection, or it was lost. `rejected`: an answer, but no event stream. `unanswered`: no
 * greeting in time. `unstable`: lost right after the greeting. `silent`: no heartbeat in time. `refused`: the
 * server asks to come back later. `restarting`: the server stops and says when to come back. `hidden`: nobody
 * sees the page.
 *
 * @typedef {'unreachable' | 'rejected' | 'unanswered' | 'unstable' | 'silent' | 'refused' | 'restarting' | 'hidden'} Reason
 */

/**
 * @typedef {object} Status
 * @property {State} state
 * @property {number} since When this state began, in milliseconds since 1970.
 * @property {number} attempt How many attempts in a row have failed; 0 when all is well.
 * @property {number | null} retryAt When the next attempt begins, in milliseconds since 1970.
 * @property {Reason | null} reason Why it is not open.
 * @property {{status?: number, title?: string, detail?: string, code?: string} | null} problem What the server said.
 * @property {string | null} connectionId The server's name for this stream.
 * @property {string | null} sessionId The session; kept while we are away.
 */

const plain = { attempt: 0, retryAt: null, reason: null, problem: null, connectionId: null };

export class StatusLine {
  #handlers = new Set();
  #now;
  /** @type {Status} */
  current;

  /** @param {() => number} now */
  constructor(now) {
    this.#now = now;
    this.current = Object.freeze({ ...plain, state: 'closed', since: now(), sessionId: null });
  }

  /** Calls `handler` now and at every change; returns what stops it. */
  watch(handler) {
    this.#handlers.add(handler);
    handler(this.current);
    return () => this.#handlers.delete(handler);
  }

  /**
   * @param {State} state
   * @param {Partial<Status>} [details] What is not named falls back to nothing.
   */
  become(state, details = {}) {
    const { sessionId } = this.current;
    const since = state === this.current.state ? this.current.since : this.#now();
    this.current = Object.freeze({ ...plain, sessionId, ...details, state, since });
    for (const handler of [...this.#handlers]) guarded(handler, this.current);
  }
}

/**
 * The status in a short sentence.
 *
 * @param {Status} status
 * @param {number} now Milliseconds since 1970.
 */
export function inWords({ state, reason, retryAt, problem }, now) {
  const seconds = Math.max(0, Math.ceil(((retryAt ?? now) - now) / 1000));
  const why = problem?.detail ?? problem?.title;
  switch (state) {
    case 'open': return 'Connected';
    case 'connecting': return reason ? 'Connection lost, reconnecting' : 'Connecting';
    case 'polling': return 'Connected by polling';
    case 'offline': return 'Offline';
    case 'failed': return why ? `Not connected: ${why}` : 'Not connected';
    case 'waiting':
      if (reason === 'hidden') return 'Paused while hidden';
      if (reason === 'restarting') return `The server restarts; back shortly, in ${seconds} s`;
      return `${reason === 'refused' ? 'The server is busy' : 'Disconnected'}, trying again in ${seconds} s`;
    default: return 'Disconnected';
  }
}
