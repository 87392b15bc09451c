/**
 * A batch on the page.
 */

import { ProgressBar } from '/static/tidings.js';
import { make } from '../page/dom.js';

const words = { queued: 'waiting', processing: 'reading', completed: 'ready', failed: 'failed', cancelled: 'cancelled' };
const tones = { processing: 'tide', completed: 'good', failed: 'bad', cancelled: 'fair' };

/** How long a card without a failure stays after its end. */
const LINGER_MS = 4000;

export class BatchCard {
  #batch;
  #heading = make('h3');
  #items = make('ul', { className: 'batch-items' });
  #button;
  #bar;
  #leaving = null;
  #dismiss;

  /**
   * @param {import('./batch.js').Batch} batch
   * @param {{onCancel: () => void, onDismiss: () => void}} owner
   */
  constructor(batch, { onCancel, onDismiss }) {
    this.#batch = batch;
    this.#dismiss = onDismiss;
    this.#button = make('button', { className: 'button small', type: 'button' });
    this.#button.addEventListener('click', () => (this.#batch.isOver ? this.#dismiss() : this.#cancel(onCancel)));
    const bar = make('div');
    this.#bar = new ProgressBar(bar, null, { lingerMs: LINGER_MS });
    this.element = make('article', { className: 'card batch' },
      make('div', { className: 'card-head' }, this.#heading, this.#button), bar, this.#items);
  }

  show() {
    const batch = this.#batch;
    this.#heading.textContent = headline(batch);
    this.#button.textContent = batch.isOver ? 'Dismiss' : 'Cancel';
    this.#button.disabled &&= !batch.isOver;
    this.#bar.show(batch.progress);
    this.#items.replaceChildren(...[...batch.items.values()].map(itemElement));
  }

  /** Goes by itself, unless somebody is at it. */
  leaveSoon(then) {
    this.#leaving ??= setTimeout(() => {
      this.#leaving = null;
      if (this.element.matches(':hover, :focus-within')) this.leaveSoon(then);
      else then();
    }, LINGER_MS);
  }

  remove() {
    clearTimeout(this.#leaving);
    this.#bar.close();
    this.element.remove();
  }

  #cancel(onCancel) {
    this.#button.disabled = true;
    onCancel();
  }
}

function headline({ worked, total, failures, isOver, ending }) {
  if (ending === 'cancelled') return `Cancelled after ${worked} of ${total}`;
  if (isOver) return failures > 0 ? `${total - failures} of ${total} summarized` : 'All summarized';
  return total === 1 ? 'Summarizing a transcript' : `Summarizing ${total} transcripts`;
}

function itemElement({ title, status, error }) {
  return make('li', {},
    make('span', { className: 'title', title }, title),
    make('span', { className: 'badge', data: { tone: tones[status] ?? '' } }, words[status]),
    error ? make('span', { className: 'why' }, error) : null);
}
