/**
 * One event as handlers get it, whichever way it came, and the memory that drops repeats.
 */

/**
 * @typedef {object} Message
 * @property {string} type The event's type, such as `summary_complete`.
 * @property {any} data The event's data: parsed JSON, or text if it is not JSON.
 * @property {string | null} id The event's place in the server's order; null for heartbeats.
 * @property {number | null} time When the server took the event, in milliseconds since 1970; null without an id.
 * @property {number} receivedAt When it arrived here, by the clock of this machine.
 * @property {'stream' | 'poll'} via The way it came.
 */

/**
 * @param {{type: string, data: unknown, id: string | null, receivedAt: number, via: 'stream' | 'poll'}} parts
 * @returns {Message}
 */
export function message({ type, data, id, receivedAt, via }) {
  return Object.freeze({ type, data, id, time: timeOf(id), receivedAt, via });
}

/** JSON if it is JSON, otherwise the text itself. */
export function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** The server's ids are `<milliseconds>-<number>`, so an id tells when its event was taken. */
export function timeOf(id) {
  const match = /^(\d+)-\d+$/.exec(id ?? '');
  return match ? Number(match[1]) : null;
}

/**
 * Remembers the last ids that were handed over.
 *
 * It is a set and not a comparison with the newest id, because a server that lost its memory and
 * whose clock stepped back may rightly send smaller ids.
 */
export class SeenIds {
  #ids = new Set();
  #limit;

  /** @param {number} [limit] How many ids to remember: more than a server ever replays by mistake. */
  constructor(limit = 4096) {
    this.#limit = limit;
  }

  /**
   * @param {string} id
   * @returns {boolean} Whether it is the first time.
   */
  add(id) {
    if (this.#ids.has(id)) return false;
    this.#ids.add(id);
    if (this.#ids.size > this.#limit) this.#ids.delete(this.#ids.values().next().value);
    return true;
  }

  clear() {
    this.#ids.clear();
  }
}
