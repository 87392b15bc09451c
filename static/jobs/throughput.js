/**
 * How many jobs have ended, counted from what the queues tell of themselves.
 */

/** Adds up queues of which each is first heard of at some time with a count of its own. */
export class Ended {
  #last = new Map();
  /** Jobs that ended while somebody counted. */
  total = 0;

  /**
   * What a queue says it has ended in all.
   *
   * @param {string} queue
   * @param {number} ended
   */
  note(queue, ended) {
    const before = this.#last.get(queue);
    this.#last.set(queue, ended);
    // What was before the first word is no throughput; a smaller count is a queue that began anew.
    if (before !== undefined && ended > before) this.total += ended - before;
  }
}
