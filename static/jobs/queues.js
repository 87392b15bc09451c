/**
 * The queues: asked for now and then, because new ones come; their counts live.
 */

import { Chart } from '../page/chart.js';
import { arrange, byId } from '../page/dom.js';
import { count } from '../page/format.js';
import { Problem, requestJson } from '../page/problem.js';
import { QueueCard } from './queue-card.js';
import { Ended } from './throughput.js';
import { Trouble } from './trouble.js';

/** New queues and workers are found out by asking. */
const EVERY_MS = 10_000;

/** A sample of the chart. */
const SAMPLE_MS = 1000;

/** So many are shown before somebody wants them all, and so many then. */
const FEW = 12;
const MANY = 200;

/** So many workers are followed live. */
const MAX_WORKERS = 200;

export class Queues {
  #owner;
  #frame;
  /** @type {Map<string, QueueCard>} */
  #cards = new Map();
  /** @type {Map<string, object>} */
  #workers = new Map();
  #ended = new Ended();
  #chart = new Chart(byId('throughput'), byId('throughput-caption'), 'jobs ended');
  #trouble = new Trouble('queues-problem', () => this.refresh());
  #wantsAll = false;
  #timer = null;
  #asking = false;

  /**
   * @param {{live: import('./live.js').Live, frame: import('./frame.js').Frame, toasts: import('../tidings.js').Toasts,
   *   onChange: () => void, onChoose: (queue: string, status: string) => void, onNames: (names: string[]) => void}} owner
   */
  constructor(owner) {
    this.#owner = owner;
    this.#frame = owner.frame;
    byId('all-queues').addEventListener('click', () => {
      this.#wantsAll = true;
      this.#arrange();
    });
    document.addEventListener('visibilitychange', () => this.refresh());
    setInterval(() => this.#chart.add(this.#ended.total), SAMPLE_MS);
    this.refresh();
  }

  /** A `queue_update` event. */
  update(news) {
    const card = this.#cards.get(news.queueName);
    if (!card) return void this.refresh();
    this.#take(card, news);
    this.#owner.onChange();
  }

  /** A `worker_status` event. */
  worker(news) {
    this.#workers.set(news.workerId, news);
    this.#staff(news.queueName);
  }

  /** Asks for all of them; not while nobody looks. */
  async refresh() {
    clearTimeout(this.#timer);
    if (document.hidden || this.#asking) return;
    this.#asking = true;
    try {
      const { queues } = await requestJson('/api/v1/queues');
      this.#show(queues);
      this.#trouble.clear();
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      this.#trouble.show(problem);
      byId('queues-line').textContent = '';
    } finally {
      this.#asking = false;
      this.#timer = setTimeout(() => this.refresh(), EVERY_MS);
    }
  }

  #show(queues) {
    const names = new Set(queues.map((queue) => queue.queueName));
    for (const name of this.#cards.keys()) if (!names.has(name)) this.#cards.delete(name);
    this.#workers = new Map(queues.flatMap((queue) => queue.workers ?? []).map((worker) => [worker.workerId, worker]));
    for (const { workers, ...queue } of queues) {
      const card = this.#cards.get(queue.queueName) ?? this.#newCard(queue.queueName);
      this.#take(card, queue);
      card.workers = workers ?? [];
    }
    this.#arrange();
    this.#owner.onNames([...names]);
    this.#owner.live.want('queues', names);
    this.#owner.live.want('workers', [...this.#workers.keys()].slice(0, MAX_WORKERS));
  }

  #newCard(name) {
    const card = new QueueCard(name, {
      onPause: (pause) => this.#pause(name, pause),
      onChoose: (status) => this.#owner.onChoose(name, status),
    });
    this.#cards.set(name, card);
    return card;
  }

  #take(card, news) {
    card.queue = { ...card.queue, ...news };
    this.#ended.note(card.queue.queueName, (card.queue.completed ?? 0) + (card.queue.failed ?? 0));
    this.#frame.ask(card);
  }

  #staff(name) {
    const card = this.#cards.get(name);
    if (!card) return;
    card.workers = [...this.#workers.values()].filter((worker) => worker.queueName === name);
    this.#frame.ask(card);
  }

  #arrange() {
    const all = [...this.#cards.values()];
    const shown = all.slice(0, this.#wantsAll ? MANY : FEW);
    arrange(byId('queues'), shown.map((card) => card.element));
    byId('queues-empty').hidden = all.length > 0;
    byId('queues-line').textContent = all.length > 0 ? lineOf(all, shown.length) : '';
    byId('all-queues').hidden = this.#wantsAll || shown.length === all.length;
    byId('all-queues').textContent = `Show all ${count(all.length)} queues`;
  }

  async #pause(name, pause) {
    try {
      const queue = await requestJson(`/api/v1/queues/${encodeURIComponent(name)}/${pause ? 'pause' : 'resume'}`, { method: 'POST' });
      if (queue?.queueName) this.#take(this.#cards.get(name), queue);
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      this.#owner.toasts.show({ type: 'error', title: `${name} could not be ${pause ? 'paused' : 'resumed'}`, text: problem.message });
    }
  }
}

function lineOf(cards, shown) {
  const paused = cards.filter(({ queue }) => queue.paused).length;
  const parts = [shown < cards.length ? `${count(shown)} of ${count(cards.length)}` : `${count(cards.length)} in all`];
  if (paused > 0) parts.push(`${count(paused)} paused`);
  return parts.join(', ');
}
