/**
 * What is known of one batch of talks, from the server's answers and from events. No page here.
 *
 * Events may come before the answer to the request that started the batch, and some may be missed; so
 * nothing here depends on their order, and a finished item never becomes unfinished again.
 */

/** @typedef {'queued' | 'processing' | 'completed' | 'failed' | 'cancelled'} ItemStatus */
/**
 * @typedef {{id: string, title: string, status: ItemStatus, error: string, percent: number, stage: string,
 *   etaSeconds: number | null, url: string}} Item
 */

const finals = new Set(['completed', 'failed', 'cancelled']);

export class Batch {
  /** @type {Map<string, Item>} */
  items = new Map();
  total = 0;
  message = '';
  /** The playlist's, if it is one. */
  title = '';
  /** How long the rest will take, as far as the server can say. @type {number | null} */
  etaSeconds = null;
  /** What the server said of the whole; `null` while it goes on. @type {ItemStatus | null} */
  ending = null;

  /** @param {string} id */
  constructor(id) {
    this.id = id;
  }

  /** The server's answer about the batch: the truth at that moment. */
  answered({ total, items = [], status, title, eta_seconds: eta }) {
    this.total = total ?? items.length;
    this.title = title ?? this.title;
    this.etaSeconds = eta ?? this.etaSeconds;
    for (const { id, eta_seconds: itemEta, ...item } of items) this.#set(id, { ...item, etaSeconds: itemEta });
    // As they were asked for, and not as events came before this answer.
    this.items = new Map([...items.map(({ id }) => [id, this.items.get(id)]), ...this.items]);
    if (finals.has(status)) this.ending = status;
  }

  /** A `summary_progress` event. */
  progressed({ status, message, total, current_video: video, error, ...said }) {
    this.total = Math.max(this.total, total ?? 0);
    this.message = message ?? this.message;
    if ('eta_seconds' in said) this.etaSeconds = said.eta_seconds;
    const { stage, item_percent: percent, item_eta_seconds: etaSeconds } = said;
    if (video && status !== 'completed') this.#set(video.item_id ?? video.id, { title: video.title, status, error, percent, stage, etaSeconds });
    else if (finals.has(status)) this.#end(status);
  }

  /** A `summary_complete` event. */
  completed({ summary_id: id, title }) {
    this.#set(id, { title, status: 'completed' });
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

  #set(id, { title, status, error, percent, stage, etaSeconds, url }) {
    const known = this.items.get(id) ?? { id, title: title ?? id, status: 'queued', error: '', percent: 0, stage: '', etaSeconds: null, url: '' };
    this.items.set(id, known);
    if (title) known.title = title;
    known.url = url ?? known.url;
    if (finals.has(known.status)) return;
    if (finals.has(status) || status === 'processing') known.status = status;
    known.percent = percent ?? known.percent;
    known.stage = stage ?? known.stage;
    known.etaSeconds = etaSeconds ?? null;
    known.error = error ? String(error.detail ?? error.message ?? error) : known.error;
  }

  #end(status) {
    this.ending = status;
    if (status !== 'cancelled') return;
    for (const item of this.items.values()) if (!finals.has(item.status)) item.status = 'cancelled';
  }
}
