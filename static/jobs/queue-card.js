/**
 * A queue on the page: its counts, who works on it, and the way to pause it.
 */

import { make, setText } from '../page/dom.js';
import { count, elapsed, shortCount } from '../page/format.js';
import { linkTo } from './fragment.js';
import { shortId } from './job.js';

/** A queue may have hundreds of workers; the card names some. */
const MAX_WORKERS = 6;

const figures = ['waiting', 'active', 'delayed', 'completed', 'failed'];

export class QueueCard {
  /** What the server says of the queue: its counts, and how it works. */
  queue;
  #workers = [];
  #badge = make('span', { className: 'badge' });
  #values = Object.fromEntries(figures.map((name) => [name, make('dd')]));
  #how = make('p', { className: 'small muted' });
  #list = make('ul', { className: 'workers small' });
  #pause;
  #failed;

  /**
   * @param {string} name
   * @param {{onPause: (pause: boolean) => Promise<void>, onChoose: (status: string) => void}} owner
   */
  constructor(name, { onPause, onChoose }) {
    this.queue = { queueName: name };
    this.#pause = make('button', { className: 'button small', type: 'button' });
    this.#pause.addEventListener('click', () => this.#toggle(onPause));
    const show = make('button', { className: 'button small quiet', type: 'button', on: { click: () => onChoose('') } },
      'Jobs', make('span', { className: 'visually-hidden' }, ` of ${name}`));
    this.#failed = make('button', { className: 'button small quiet', type: 'button', on: { click: () => onChoose('failed') } },
      'Failed', make('span', { className: 'visually-hidden' }, ` jobs of ${name}`));
    const title = make('h3', { title: name }, name);
    this.element = make('li', { className: 'card queue', data: { queue: name } },
      make('div', { className: 'card-head' }, title, this.#badge),
      make('dl', { className: 'figures numbers' }, ...figures.map((figure) => make('div', { data: { figure } }, make('dt', {}, figure), this.#values[figure]))),
      this.#how, this.#list, make('div', { className: 'row tight' }, this.#pause, show, this.#failed));
  }

  /** @param {object[]} workers Those who work for it. */
  set workers(workers) {
    this.#workers = workers;
  }

  show() {
    const { queue } = this;
    for (const figure of figures) {
      setText(this.#values[figure], shortCount(queue[figure]));
      this.#values[figure].title = count(queue[figure]);
      this.#values[figure].className = queue[figure] > 0 ? 'some' : '';
    }
    const state = stateOf(queue);
    setText(this.#badge, state.word);
    this.#badge.dataset.tone = state.tone;
    setText(this.#pause, queue.paused ? 'Resume' : 'Pause');
    this.#pause.setAttribute('aria-label', `${queue.paused ? 'Resume' : 'Pause'} ${queue.queueName}`);
    this.#failed.hidden = !(queue.failed > 0);
    setText(this.#how, howOf(queue));
    this.#showWorkers();
  }

  async #toggle(onPause) {
    this.#pause.disabled = true;
    await onPause(!this.queue.paused);
    this.#pause.disabled = false;
    // A button that was disabled has lost the focus.
    if (document.activeElement === document.body) this.#pause.focus();
  }

  #showWorkers() {
    const busyFirst = [...this.#workers].sort((one, other) => Number(Boolean(other.currentJob)) - Number(Boolean(one.currentJob)));
    const shown = busyFirst.slice(0, MAX_WORKERS).map(workerElement);
    const more = this.#workers.length - shown.length;
    if (more > 0) shown.push(make('li', { className: 'muted' }, `and ${count(more)} more`));
    this.#list.replaceChildren(...shown);
  }
}

function stateOf({ paused, active, waiting }) {
  if (paused) return { word: 'paused', tone: 'fair' };
  if (active > 0) return { word: 'working', tone: 'tide' };
  return waiting > 0 ? { word: 'waiting', tone: '' } : { word: 'idle', tone: '' };
}

function howOf({ processor, concurrency, rateLimit }) {
  if (!processor) return '';
  const who = { outside: 'Workers elsewhere take its jobs', command: 'A command does its jobs' }[processor] ?? `Done by ${processor}`;
  const parts = [who];
  if (processor !== 'outside' && concurrency) parts.push(`${count(concurrency)} at a time`);
  if (rateLimit) parts.push(`at most ${count(rateLimit.max)} in ${elapsed(rateLimit.duration)}`);
  return parts.join(', ');
}

function workerElement({ workerId, status, currentJob }) {
  const dot = make('span', { className: 'dot', aria: { hidden: 'true' } });
  const name = make('span', { className: 'mono worker-name', title: workerId }, workerId);
  const doing = currentJob
    ? make('a', { href: linkTo('job', currentJob), className: 'mono', title: currentJob }, shortId(currentJob))
    : make('span', { className: 'muted' }, status);
  return make('li', { data: { status } }, dot, name, doing);
}
