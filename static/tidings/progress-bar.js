/**
 * A bar that appears when work begins, says what is being worked on, and hides when it is done.
 */

import { browserEnvironment } from './environment.js';

/** After these nothing more comes; a single item's failure does not end the work. */
const endings = new Set(['completed', 'cancelled']);

export class ProgressBar {
  #element;
  #bar;
  #message;
  #subject;
  #environment;
  #lingerMs;
  #cancelHiding = () => {};
  #stop;

  /**
   * @param {HTMLElement} element An empty element; its style is `.progress-bar` in tidings.css.
   * @param {import('../tidings.js').Tidings | null} tidings It must subscribe to `summary_progress`; null to call
   *   `show` oneself.
   * @param {{lingerMs?: number, environment?: Pick<import('./environment.js').Environment, 'after'>}} [options]
   *   `lingerMs`: how long the finished bar stays.
   */
  constructor(element, tidings, { lingerMs = 2000, environment = browserEnvironment() } = {}) {
    this.#element = element;
    this.#lingerMs = lingerMs;
    this.#environment = environment;
    this.#message = child('span', 'progress-message');
    this.#subject = child('span', 'progress-subject');
    this.#bar = child('progress', '');
    this.#bar.setAttribute('aria-label', 'Progress');
    element.classList.add('progress-bar');
    element.replaceChildren(this.#message, this.#subject, this.#bar);
    element.hidden = true;
    this.#stop = tidings?.on('summary_progress', ({ data }) => this.show(data)) ?? (() => {});
  }

  /**
   * Shows one word on the progress.
   *
   * @param {{status: string, message?: string, progress?: number, total?: number, current_video?: {title?: string, playlist?: string}}} news
   */
  show({ status, message = '', progress, total, current_video: video }) {
    this.#cancelHiding();
    this.#element.hidden = false;
    this.#element.dataset.status = status;
    this.#message.textContent = message;
    this.#subject.textContent = [video?.playlist, video?.title].filter(Boolean).join(' · ');
    this.#fill(progress, total);
    if (endings.has(status)) this.#cancelHiding = this.#environment.after(this.#lingerMs, () => this.#hide());
  }

  /** Stops following the events. */
  close() {
    this.#cancelHiding();
    this.#stop();
  }

  #fill(progress, total) {
    // A bar without a value shows that it does not know how far it is.
    if (!(total > 0)) return this.#bar.removeAttribute('value');
    this.#bar.max = total;
    this.#bar.value = progress ?? 0;
  }

  #hide() {
    this.#element.hidden = true;
  }
}

function child(tag, className) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  return made;
}
