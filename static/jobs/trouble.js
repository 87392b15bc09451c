/**
 * What could not be asked for, said where it would stand, with a way to ask again.
 */

import { byId, make } from '../page/dom.js';

export class Trouble {
  #element;
  #onRetry;

  /**
   * @param {string} id Of the notice.
   * @param {() => void} onRetry
   */
  constructor(id, onRetry) {
    this.#element = byId(id);
    this.#onRetry = onRetry;
  }

  /** @param {import('../page/problem.js').Problem} problem */
  show(problem) {
    // The same again would be read out again.
    if (!this.#element.hidden && this.#element.dataset.problem === problem.message) return;
    this.#element.dataset.problem = problem.message;
    this.#element.replaceChildren(
      make('span', {}, problem.message),
      make('button', { className: 'button small', type: 'button', on: { click: () => this.#onRetry() } }, 'Try again'),
    );
    this.#element.hidden = false;
  }

  clear() {
    this.#element.hidden = true;
  }
}
