/**
 * Which jobs the list shows: by status and queue, which the server looks for, and by a part of the id or the
 * name among those that are here. Kept in the page's address, so that the failed jobs of a queue can be linked.
 */

import { arrange, byId, make } from '../page/dom.js';

const boxes = () => [...byId('statuses').querySelectorAll('input')];

export class Filters {
  #onChange;
  #onText;

  /**
   * @param {{onChange: () => void, onText: () => void, onId: (id: string) => void}} owner `onChange`: the server is to be
   *   asked anew. `onId`: what is typed is meant as a job's id.
   */
  constructor({ onChange, onText, onId }) {
    this.#onChange = onChange;
    this.#onText = onText;
    this.#fromAddress();
    byId('filters').addEventListener('submit', (submitted) => {
      submitted.preventDefault();
      if (this.text) onId(this.text);
    });
    byId('statuses').addEventListener('change', () => this.#changed());
    byId('filter-queue').addEventListener('change', () => this.#changed());
    byId('filter-text').addEventListener('input', () => this.#onText());
  }

  get statuses() {
    return boxes().filter((box) => box.checked).map((box) => box.value);
  }

  get queue() {
    return byId('filter-queue').value;
  }

  get text() {
    return byId('filter-text').value.trim();
  }

  get isAny() {
    return this.statuses.length > 0 || this.queue !== '' || this.text !== '';
  }

  /** Shows a queue's jobs of a status, or all of them. */
  choose(queue, status) {
    for (const box of boxes()) box.checked = box.value === status;
    this.knowQueue(queue);
    byId('filter-queue').value = queue;
    byId('filter-text').value = '';
    this.#changed();
  }

  /** @param {string[]} names The queues there are. */
  knowQueues(names) {
    const select = byId('filter-queue');
    const chosen = select.value;
    const known = new Map([...select.options].map((option) => [option.value, option]));
    const wanted = ['', ...(chosen && !names.includes(chosen) ? [chosen] : []), ...names];
    arrange(select, wanted.map((name) => known.get(name) ?? make('option', { value: name }, name)));
    select.value = chosen;
  }

  knowQueue(name) {
    if (!this.knows(name)) byId('filter-queue').append(make('option', { value: name }, name));
  }

  /** Whether a queue can be chosen; no queue can. */
  knows(name) {
    return [...byId('filter-queue').options].some((option) => option.value === name);
  }

  /** Whether it is a job that the server would be asked for. */
  isFor({ queue, status }) {
    const { statuses } = this;
    return (statuses.length === 0 || statuses.includes(status)) && (!this.queue || queue === this.queue);
  }

  /** Whether a job has what is typed in its id or its name. */
  hasText({ id, name }) {
    const text = this.text.toLowerCase();
    return id.toLowerCase().includes(text) || name.toLowerCase().includes(text);
  }

  #changed() {
    const query = new URLSearchParams();
    if (this.statuses.length > 0) query.set('status', this.statuses.join(','));
    if (this.queue) query.set('queue', this.queue);
    const search = query.size > 0 ? `?${query.toString().replaceAll('%2C', ',')}` : '';
    history.replaceState(null, '', `${location.pathname}${search}${location.hash}`);
    this.#onChange();
  }

  #fromAddress() {
    const query = new URLSearchParams(location.search);
    const statuses = (query.get('status') ?? '').split(',');
    // A browser that comes back to the page would fill in what was there before.
    for (const box of boxes()) box.checked = statuses.includes(box.value);
    byId('filter-text').value = '';
    const queue = query.get('queue') ?? '';
    if (queue) this.knowQueue(queue);
    byId('filter-queue').value = queue;
  }
}
