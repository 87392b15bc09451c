/**
 * A dot that shows how the connection stands: green and breathing when events flow, amber when it
 * is being mended, red when nothing comes. The words beside it say the same to those who cannot
 * tell the colours or cannot see them; the tooltip says more.
 */

import { inWords } from './status.js';

const tones = {
  open: 'good',
  polling: 'fair',
  connecting: 'fair',
  waiting: 'fair',
  offline: 'bad',
  failed: 'bad',
  closed: 'bad',
};

export class StatusDot {
  #element;
  #text;
  #stop;

  /**
   * @param {HTMLElement} element An empty element; its style is `.status-dot` in tidings.css.
   * @param {import('../tidings.js').Tidings} tidings
   */
  constructor(element, tidings) {
    this.#element = element;
    const dot = document.createElement('span');
    dot.className = 'dot';
    dot.setAttribute('aria-hidden', 'true');
    this.#text = document.createElement('span');
    this.#text.className = 'status-text';
    this.#text.setAttribute('role', 'status');
    element.classList.add('status-dot');
    element.replaceChildren(dot, this.#text);
    this.#stop = tidings.onStatus((status) => this.#show(status));
  }

  /** Stops following the connection. */
  close() {
    this.#stop();
  }

  #show(status) {
    const words = inWords(status, Date.now());
    this.#element.dataset.tone = tones[status.state];
    this.#element.dataset.state = status.state;
    this.#element.title = details(status, words);
    // Saying the same again would make a screen reader repeat itself.
    if (this.#text.textContent !== words) this.#text.textContent = words;
  }
}

function details({ since, connectionId, attempt }, words) {
  const lines = [`${words}, since ${new Date(since).toLocaleTimeString()}`];
  if (connectionId) lines.push(`Connection ${connectionId}`);
  if (attempt > 0) lines.push(`Failed attempts in a row: ${attempt}`);
  return lines.join('\n');
}
