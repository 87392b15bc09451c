/**
 * What is known of one batch of transcripts, from the server's answers and from events. No page here.
 *
 * Events may come before the answer to the request that started the batch, and some may be missed; so
 * nothing here depends on their order, and a finished item never becomes unfinished again.
 */

/** @typedef {'queued' | 'processing' | 'completed' | 'failed' | 'cancelled'} ItemStatus */
/** @typedef {{id: string, title: string, status: ItemStatus, error: string, percent: number}} Item */

const finals = new Set(['completed', 'failed', 'cancelled']);

export class Batch {
  /** @type {Map<string, Item>} */
  items = new Map();
  total = 0;
  message = '';
  /** What the server said of the whole; `null` while it goes on. @type {ItemStatus | null} */
  ending = null;

  /** @param {string} id */
  constructor(id) {
    this.id = id;
  }

  /** The server's answer about the batch: the truth at that moment. */
  answered({ total, items = [], status }) {
    this.total = total ?? items.length;
    for (const item of items) this.#set(item.id, item.title, item.status, item.error);
    if (finals.has(status)) this.ending = status;
  }

  /** A `summary_progress` event. */
  progressed({ status, message, total, current_video: video, item_percent: percent, error }) {
    this.total = Math.max(this.total, total ?? 0);
    this.message = message ?? this.message;
    if (video?.id && status !== 'completed') this.#set(video.id, video.title, status, error, percent);
    else if (finals.has(status)) this.#end(status);
  }

  /** A `summary_complete` event. */
  completed({ video_id: id, title }) {
    this.#set(id, title, 'completed');
  }

  /** How many items are finished, one way or another. */
  get done() {
    return [...this.items.values()].filter(({ status }) => finals.has(status)).length;
  }

  get failures() {
    return this.#having('failed');
  }

  /** The items whose summaries can be read. @returns {string[]} Their ids. */
  get ready() {
    return [...this.items.values()].filter(({ status }) => status === 'completed').map(({ id }) => id);
  }

  /** How many items were worked on to their end. */
  get worked() {
    return this.#having('completed') + this.#having('failed');
  }

  get isOver() {
    return this.ending !== null || (this.total > 0 && this.done >= this.total);
  }

  /** For a progress bar. */
  get progress() {
    const status = this.isOver ? (this.ending ?? 'completed') : 'processing';
    const progress = this.isOver && status === 'completed' ? this.total : this.done + this.#begun();
    return { status, message: this.message, progress, total: this.total };
  }

  #having(wanted) {
    return [...this.items.values()].filter(({ status }) => status === wanted).length;
  }

  /** What is done of the items that are not finished, in items: a long talk moves the bar too. */
  #begun() {
    const going = [...this.items.values()].filter(({ status }) => status === 'processing');
    return going.reduce((sum, { percent }) => sum + percent / 100, 0);
  }

  #set(id, title, status, error, percent) {
    const known = this.items.get(id) ?? { id, title: title ?? id, status: 'queued', error: '', percent: 0 };
    this.items.set(id, known);
    if (title) known.title = title;
    if (finals.has(known.status)) return;
    if (finals.has(status) || status === 'processing') known.status = status;
    known.percent = percent ?? known.percent;
    known.error = error ? String(error.detail ?? error.message ?? error) : known.error;
  }

  #end(status) {
    this.ending = status;
    if (status !== 'cancelled') return;
    for (const item of this.items.values()) if (!finals.has(item.status)) item.status = 'cancelled';
  }
}
