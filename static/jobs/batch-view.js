/**
 * A batch's roll-up: a bar in which each part is a status, and the same in words.
 */

import { make, setText } from '../page/dom.js';
import { count, duration } from '../page/format.js';
import { shortId } from './job.js';

const SVG = 'http://www.w3.org/2000/svg';
const WIDTH = 1000;

/** The parts of the bar, in its order; what is left of it waits. */
const parts = ['completed', 'failed', 'cancelled', 'processing'];

const tones = { pending: '', processing: 'tide', completed: 'good', failed: 'bad', cancelled: 'fair' };
const words = { pending: 'waiting', processing: 'active' };

export const isOver = ({ status }) => !['pending', 'processing'].includes(status);

export class BatchView {
  #badge = make('span', { className: 'badge' });
  #bar = shape('svg', { viewBox: `0 0 ${WIDTH} 10`, preserveAspectRatio: 'none', class: 'roll-up', role: 'progressbar', 'aria-valuemin': 0, 'aria-valuemax': 100 });
  #rects = Object.fromEntries(parts.map((part) => [part, shape('rect', { class: part, y: 0, height: 10 })]));
  #percent = make('span', { className: 'numbers' });
  #counts = make('span', { className: 'small numbers' });
  #pace = make('span', { className: 'small muted numbers' });
  head = make('div', { className: 'row' }, this.#badge, this.#percent);
  foot = make('div', { className: 'row spread' }, this.#counts, this.#pace);

  constructor() {
    this.#bar.append(...Object.values(this.#rects));
  }

  get bar() {
    return this.#bar;
  }

  show(batch) {
    const { status, progress, total } = batch;
    setText(this.#badge, words[status] ?? status);
    this.#badge.dataset.tone = tones[status] ?? '';
    setText(this.#percent, `${Math.floor(progress)} %`);
    this.#bar.setAttribute('aria-valuenow', Math.floor(progress));
    this.#bar.setAttribute('aria-label', `Progress of ${nameOf(batch)}`);
    let x = 0;
    for (const part of parts) {
      const width = total > 0 ? ((batch.counts?.[part] ?? 0) / total) * WIDTH : 0;
      this.#rects[part].setAttribute('x', x.toFixed(1));
      this.#rects[part].setAttribute('width', width.toFixed(1));
      x += width;
    }
    setText(this.#counts, countsOf(batch));
    setText(this.#pace, paceOf(batch));
  }
}

export const nameOf = ({ title, batchId }) => title || `batch ${shortId(batchId)}`;

/** `12 of 40 completed, 1 failed, 3 active` */
export function countsOf({ total, counts = {} }) {
  const some = ['failed', 'cancelled', 'processing'].filter((status) => counts[status] > 0);
  const others = some.map((status) => `, ${count(counts[status])} ${words[status] ?? status}`).join('');
  return `${count(counts.completed ?? 0)} of ${count(total)} completed${others}`;
}

/** `24 a minute, about 2 min 10 s left` */
export function paceOf(batch) {
  if (isOver(batch)) return '';
  const { ratePerMinute: rate, etaSeconds: eta } = batch;
  const said = [];
  if (rate > 0) said.push(`${rate >= 10 ? count(Math.round(rate)) : rate.toFixed(1)} a minute`);
  if (Number.isFinite(eta)) said.push(`about ${duration(Math.ceil(eta))} left`);
  return said.join(', ');
}

function shape(tag, attributes) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}
