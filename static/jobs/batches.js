/**
 * The batches, the newest first: asked for again and again, often while one of them goes on.
 */

import { arrange, byId, make } from '../page/dom.js';
import { age, count, dayAndTime } from '../page/format.js';
import { Problem, requestJson } from '../page/problem.js';
import { BatchView, isOver, nameOf } from './batch-view.js';
import { linkTo } from './fragment.js';
import { timeOf } from './job.js';
import { Trouble } from './trouble.js';

const PER_PAGE = 10;
const MAX_ROWS = 100;

/** Between two questions: while one goes on, and otherwise. */
const BUSY_MS = 2000;
const CALM_MS = 10_000;

export class Batches {
  #rows = new Map();
  #trouble = new Trouble('batches-problem', () => this.refresh());
  #limit = PER_PAGE;
  #timer = null;

  constructor() {
    byId('more-batches').addEventListener('click', () => {
      this.#limit = Math.min(MAX_ROWS, this.#limit + 3 * PER_PAGE);
      this.refresh();
    });
    document.addEventListener('visibilitychange', () => this.refresh());
    this.refresh();
  }

  async refresh() {
    clearTimeout(this.#timer);
    if (document.hidden) return;
    let pause = CALM_MS;
    try {
      const { batches, next } = await requestJson(`/api/v1/batches?limit=${this.#limit}`);
      this.#show(batches, next);
      this.#trouble.clear();
      if (!batches.every(isOver)) pause = BUSY_MS;
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      this.#trouble.show(problem);
    }
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.refresh(), pause);
  }

  #show(batches, next) {
    const rows = batches.map((batch) => [batch.batchId, this.#rows.get(batch.batchId) ?? new BatchRow(batch)]);
    this.#rows = new Map(rows);
    for (const batch of batches) this.#rows.get(batch.batchId).show(batch);
    arrange(byId('batches'), rows.map(([, row]) => row.element));
    byId('batches-empty').hidden = batches.length > 0;
    byId('more-batches').hidden = !next || this.#limit >= MAX_ROWS;
    const open = batches.filter((batch) => !isOver(batch)).length;
    byId('batches-line').textContent = open > 0 ? `${count(open)} under way` : '';
  }
}

class BatchRow {
  #view = new BatchView();
  #link;
  #age = make('time', { className: 'small muted numbers' });

  constructor(batch) {
    this.#link = make('a', { className: 'title', href: linkTo('batch', batch.batchId), title: batch.batchId }, nameOf(batch));
    this.element = make('li', { className: 'batch', data: { batch: batch.batchId } },
      make('div', { className: 'row spread' }, make('div', { className: 'row' }, this.#link, this.#age), this.#view.head),
      this.#view.bar, this.#view.foot);
  }

  show(batch) {
    this.#view.show(batch);
    const made = timeOf(batch.createdAt ?? batch.startedAt);
    if (made === null) return;
    this.#age.textContent = age(Date.now() - made);
    this.#age.dateTime = new Date(made).toISOString();
    this.#age.title = dayAndTime(made);
  }
}
