/**
 * What the page's one stream is subscribed to, kept as the page wishes it.
 *
 * The parts of the page say which jobs, queues and workers they show. A new connection knows nothing of that,
 * so it is told everything; after that only what changed, in one request for all that changes together.
 */

import { Problem, posting, requestJson } from '../page/problem.js';

/** Wishes that come together are one request. */
const GATHER_MS = 60;

/** After a request that failed. */
const AGAIN_MS = 2000;

const kinds = ['jobs', 'queues', 'workers'];
const none = () => Object.fromEntries(kinds.map((kind) => [kind, new Set()]));

export class Live {
  #connection = null;
  #wanted = none();
  #told = none();
  #timer = null;
  #asking = false;

  /** @param {import('../tidings.js').Tidings} tidings The stream of `/api/v1/sse/connect`. */
  constructor(tidings) {
    tidings.on('connected', ({ data }) => {
      this.#connection = data.connectionId;
      this.#told = none();
      this.#plan(0);
    });
  }

  /**
   * @param {'jobs' | 'queues' | 'workers'} kind
   * @param {Iterable<string>} ids All that are wanted from now on.
   */
  want(kind, ids) {
    this.#wanted[kind] = new Set(ids);
    this.#plan(GATHER_MS);
  }

  #plan(ms) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#tell(), ms);
  }

  async #tell() {
    const connection = this.#connection;
    if (!connection || this.#asking) return;
    const { add, remove } = changes(this.#told, this.#wanted);
    if (isEmpty(add) && isEmpty(remove)) return;
    const wanted = Object.fromEntries(kinds.map((kind) => [kind, new Set(this.#wanted[kind])]));
    this.#asking = true;
    try {
      await requestJson(`/api/v1/sse/${encodeURIComponent(connection)}/subscriptions`, posting(JSON.stringify({ add, remove })));
      if (connection === this.#connection) this.#told = wanted;
      this.#asking = false;
      this.#plan(GATHER_MS);
    } catch (problem) {
      this.#asking = false;
      if (!(problem instanceof Problem)) throw problem;
      // 404: that connection is gone; the next one is told everything.
      if (problem.status !== 404) this.#plan(AGAIN_MS);
      else if (connection === this.#connection) this.#connection = null;
      else this.#plan(0);
    }
  }
}

/** What to add to `told` and to remove from it to have `wanted`. */
export function changes(told, wanted) {
  const less = (one, other) => [...one].filter((id) => !other.has(id));
  const every = (pick) => Object.fromEntries(kinds.map((kind) => [kind, pick(kind)]));
  return { add: every((kind) => less(wanted[kind], told[kind])), remove: every((kind) => less(told[kind], wanted[kind])) };
}

const isEmpty = (change) => kinds.every((kind) => change[kind].length === 0);
