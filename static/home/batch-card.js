/**
 * A batch on the page.
 */

import { ProgressBar } from '/static/tidings.js';
import { arrange, make, setText, whileBusy } from '../page/dom.js';
import { duration } from '../page/format.js';

const words = { queued: 'waiting', processing: 'at work', completed: 'ready', failed: 'failed', cancelled: 'cancelled' };
const stages = {
  waiting: 'waiting to try again',
  lookup: 'looking it up',
  transcript: 'fetching the transcript',
  cache: 'checking the cache',
  summarize: 'summarizing',
  store: 'storing',
};
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
  #onRetry;
  #left = make('span', { className: 'left small muted numbers' });
  /** The items' elements by id: what stays keeps its focus. */
  #rows = new Map();

  /**
   * @param {import('./batch.js').Batch} batch
   * @param {{onCancel: () => Promise<void>, onDismiss: () => void, onRetry: (id: string) => Promise<void>}} owner
   */
  constructor(batch, { onCancel, onDismiss, onRetry }) {
    this.#batch = batch;
    this.#dismiss = onDismiss;
    this.#onRetry = onRetry;
    this.#button = make('button', { className: 'button small', type: 'button' });
    this.#button.addEventListener('click', () => (this.#batch.isOver ? this.#dismiss() : whileBusy(this.#button, onCancel)));
    const bar = make('div');
    this.#bar = new ProgressBar(bar, null, { lingerMs: LINGER_MS });
    this.element = make('article', { className: 'card batch' },
      make('div', { className: 'card-head' }, this.#heading, this.#left, this.#button), bar, this.#items);
  }

  show() {
    const batch = this.#batch;
    this.#heading.textContent = headline(batch);
    this.#button.textContent = batch.isOver ? 'Dismiss' : 'Cancel';
    this.#bar.show(batch.progress);
    this.element.dataset.outcome = outcome(batch);
    this.#left.textContent = !batch.isOver && batch.etaSeconds > 0 ? `about ${duration(batch.etaSeconds)} left` : '';
    arrange(this.#items, [...batch.items.values()].map((item) => this.#row(item)));
  }

  #row(item) {
    const row = this.#rows.get(item.id) ?? new ItemRow(item.id, this.#onRetry);
    this.#rows.set(item.id, row);
    row.show(item);
    return row.element;
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
}

function headline({ title, worked, total, failures, isOver, ending }) {
  if (ending === 'cancelled') return `Cancelled after ${worked} of ${total}`;
  if (isOver) return failures > 0 ? `${total - failures} of ${total} summarized` : 'All summarized';
  if (title) return `Summarizing “${title}”`;
  return total === 1 ? 'Summarizing a talk' : `Summarizing ${total} talks`;
}

/** For the colour of the bar: all that is over is not well. */
function outcome({ isOver, failures, total }) {
  if (!isOver || failures === 0) return '';
  return failures < total ? 'partly' : 'failed';
}

/** One talk of a batch: what it is at, how far that is, and another try if it came to nothing. */
class ItemRow {
  #title = make('span', { className: 'title' });
  #badge = make('span', { className: 'badge' });
  #bar = make('progress', { max: 100, hidden: true });
  #step = make('span', { className: 'step small muted' });
  #why = make('span', { className: 'why' });
  #retry;

  constructor(id, onRetry) {
    this.#retry = make('button', { className: 'button small quiet', type: 'button', hidden: true }, 'Try again');
    this.#retry.addEventListener('click', () => whileBusy(this.#retry, () => onRetry(id)));
    this.element = make('li', {}, this.#title, this.#badge, this.#bar, this.#step, this.#why, this.#retry);
  }

  show({ title, status, error, percent, stage, etaSeconds, url }) {
    setText(this.#title, title);
    this.#title.title = title;
    setText(this.#badge, words[status]);
    this.#badge.dataset.tone = tones[status] ?? '';
    const isGoing = status === 'processing';
    this.#bar.hidden = !isGoing;
    this.#bar.value = percent;
    this.#bar.setAttribute('aria-label', `${title}: ${stages[stage] ?? 'at work'}`);
    const left = isGoing && etaSeconds > 0 ? ` · about ${duration(etaSeconds)} left` : '';
    const isWaiting = status === 'queued' && stage === 'waiting';
    setText(this.#step, isGoing || isWaiting ? `${stages[stage] ?? ''}${left}` : '');
    setText(this.#why, error);
    this.#retry.hidden = status !== 'failed' || !url;
  }
}
