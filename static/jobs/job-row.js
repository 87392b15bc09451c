/**
 * A job in the list.
 */

import { make, setText } from '../page/dom.js';
import { age, dayAndTime } from '../page/format.js';
import { Actions } from './actions.js';
import { linkTo } from './fragment.js';
import { badgeOf, saidOf, shortId } from './job.js';

export class JobRow {
  /** @type {import('./job.js').Job} */
  job;
  #badge = make('span', { className: 'badge' });
  #link = make('a', { className: 'title' });
  #place = make('span', { className: 'place' });
  #bar = make('progress', { max: 100 });
  #percent = make('span', { className: 'small numbers percent' });
  #said = make('span', { className: 'small muted said' });
  #age = make('time', { className: 'numbers age' });
  #how;
  #actions;

  /**
   * @param {import('./job.js').Job} job
   * @param {import('./actions.js').Owner} owner
   */
  constructor(job, owner) {
    this.job = job;
    // The others are in its details.
    this.#actions = new Actions(owner, 1);
    this.#bar.setAttribute('aria-label', `Progress of ${job.id}`);
    this.#link.href = linkTo('job', job.id);
    this.#how = make('div', { className: 'how' }, this.#bar, this.#percent, this.#said);
    this.element = make('li', { className: 'job', data: { job: job.id } },
      this.#badge,
      make('div', { className: 'what' }, this.#link, make('span', { className: 'small muted where' }, this.#age, this.#place)),
      this.#how, this.#actions.element);
  }

  show() {
    const { job } = this;
    const { word, tone } = badgeOf(job, Date.now());
    this.element.dataset.status = this.#how.dataset.status = job.status;
    setText(this.#badge, word);
    this.#badge.dataset.tone = tone;
    setText(this.#link, job.name || shortId(job.id));
    this.#link.title = job.id;
    setText(this.#place, placeOf(job));
    this.#bar.value = job.progress;
    setText(this.#percent, `${Math.floor(job.progress)} %`);
    setText(this.#said, saidOf(job));
    this.#said.title = saidOf(job);
    this.#actions.show(job);
    this.showAge();
  }

  /** The one thing that changes without news. */
  showAge() {
    const { createdAt } = this.job;
    if (createdAt === null) return;
    setText(this.#age, age(Date.now() - createdAt));
    this.#age.dateTime = new Date(createdAt).toISOString();
    this.#age.title = `Made ${dayAndTime(createdAt)}`;
  }
}

function placeOf({ id, name, queue, attempt, retriedAs }) {
  const parts = [];
  if (name) parts.push(shortId(id));
  if (queue) parts.push(queue);
  if (attempt > 1) parts.push(`attempt ${attempt}`);
  if (retriedAs) parts.push('retried');
  return parts.map((part) => `· ${part}`).join(' ');
}
