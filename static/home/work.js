/**
 * The batches that are being worked on: a card for each, with its bar, its items and a way to stop it.
 */

import { byId } from '../page/dom.js';
import { Problem, requestJson } from '../page/problem.js';
import { Batch } from './batch.js';
import { BatchCard } from './batch-card.js';

/** Between two questions about a batch of which nothing was heard. */
const QUIET_MS = 10_000;

export class Work {
  #toasts;
  #onReady;
  /** @type {Map<string, {batch: Batch, card: BatchCard, told: Set<string>, timer?: number}>} */
  #jobs = new Map();

  /**
   * @param {import('../tidings.js').Toasts} toasts
   * @param {{onReady: (id: string) => void}} owner A summary can be read, whichever way we learned of it.
   */
  constructor(toasts, { onReady }) {
    this.#toasts = toasts;
    this.#onReady = onReady;
    this.#recall();
  }

  /** After a reload, and in another tab: what this session has asked for and is not over. */
  async #recall() {
    const answer = await requestJson('/api/v1/summaries/batches').catch((problem) => {
      if (!(problem instanceof Problem)) throw problem;
      return { batches: [] };
    });
    for (const batch of answer.batches) {
      if (batch.status === 'queued' || batch.status === 'processing') this.add(batch);
    }
  }

  /** The server's answer to a new request. */
  add(answer) {
    this.#job(answer.batch_id).batch.answered(answer);
    this.#changed(answer.batch_id);
  }

  /** Brings a batch before the reader's eyes: on a phone it is below the form. */
  reveal(id) {
    this.#jobs.get(id)?.card.element.scrollIntoView({ block: 'nearest' });
  }

  /** A `summary_progress` event. */
  progress(data) {
    if (!data.batch_id) return;
    const isNew = !this.#jobs.has(data.batch_id);
    this.#job(data.batch_id).batch.progressed(data);
    this.#changed(data.batch_id);
    // Another tab of this session began it: its other items are not known here yet.
    if (isNew) this.#ask(data.batch_id);
  }

  /** A `summary_complete` event. */
  complete(data) {
    const job = this.#jobs.get(data.batch_id);
    if (!job) return this.#onReady(data.summary_id);
    job.batch.completed(data);
    this.#changed(data.batch_id);
  }

  /** Asks for everything that is not over. */
  refresh() {
    for (const [id, { batch }] of this.#jobs) if (!batch.isOver) this.#ask(id);
  }

  #job(id) {
    const known = this.#jobs.get(id);
    if (known) return known;
    const batch = new Batch(id);
    const card = new BatchCard(batch, { onCancel: () => this.#cancel(id), onDismiss: () => this.#forget(id), onRetry: (item) => this.#retry(id, item) });
    const job = { batch, card, told: new Set() };
    this.#jobs.set(id, job);
    byId('batches').prepend(card.element);
    return job;
  }

  #changed(id) {
    const { batch, card, told } = this.#jobs.get(id);
    card.show();
    for (const ready of batch.ready.filter((ready) => !told.has(ready))) {
      told.add(ready);
      this.#onReady(ready);
    }
    this.#watch(id);
    byId('work').hidden = this.#jobs.size === 0;
    showInTitle([...this.#jobs.values()].map((job) => job.batch));
    if (batch.isOver && batch.failures === 0) card.leaveSoon(() => this.#forget(id));
  }

  /** Events make it quick; asking makes it certain. */
  #watch(id) {
    const job = this.#jobs.get(id);
    clearTimeout(job.timer);
    if (!job.batch.isOver) job.timer = setTimeout(() => this.#ask(id), QUIET_MS);
  }

  async #ask(id) {
    try {
      this.add({ ...(await requestJson(`/api/v1/summaries/batches/${encodeURIComponent(id)}`)), batch_id: id });
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      if (problem.status === 404) this.#forget(id);
      else if (this.#jobs.has(id)) this.#watch(id);
    }
  }

  async #cancel(id) {
    try {
      await requestJson(`/api/v1/summaries/batches/${encodeURIComponent(id)}`, { method: 'DELETE' });
      this.#job(id).batch.progressed({ status: 'cancelled', message: 'Cancelled' });
      this.#changed(id);
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      // 409: it was finished before the word came; asking shows it.
      if (problem.status !== 409) this.#toasts.show({ type: 'error', title: 'It could not be cancelled', text: problem.message });
      this.#ask(id);
    }
  }

  async #retry(id, item) {
    const path = `/api/v1/summaries/batches/${encodeURIComponent(id)}/items/${encodeURIComponent(item)}/retry`;
    try {
      this.add(await requestJson(path, { method: 'POST' }));
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      this.#toasts.show({ type: 'error', title: 'It could not be tried again', text: problem.message });
    }
  }

  #forget(id) {
    const job = this.#jobs.get(id);
    clearTimeout(job?.timer);
    const next = job?.card.element.matches(':focus-within') ? behind(job.card.element) : null;
    job?.card.remove();
    this.#jobs.delete(id);
    byId('work').hidden = this.#jobs.size === 0;
    next?.focus();
  }
}

/** Where the focus goes when a card is gone that had it. */
function behind(card) {
  return card.nextElementSibling?.querySelector('button') ?? document.querySelector('#summaries summary') ?? byId('submit');
}

const plainTitle = document.title;

/** The tab tells how far it is, also when the page is not seen. */
function showInTitle(batches) {
  const going = batches.filter((batch) => !batch.isOver);
  const sum = (field) => going.reduce((total, batch) => total + batch[field], 0);
  document.title = going.length > 0 ? `(${sum('done')}/${sum('total')}) ${plainTitle}` : plainTitle;
}
