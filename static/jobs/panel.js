/**
 * The panel over the page that shows one job or one batch, for as long as the address names it.
 *
 * The address decides: a link opens it, the way back closes it, and what closes it takes the name away.
 */

import { byId } from '../page/dom.js';
import { clear, read } from './fragment.js';

/** @typedef {{close: () => void}} Content */

export class Panel {
  #open;
  #content = null;
  #shown = '';

  /** @param {Record<string, (id: string, body: HTMLElement) => Content>} open Makes what is shown, by the kind of thing. */
  constructor(open) {
    this.#open = open;
    const dialog = byId('details');
    byId('details-close').addEventListener('click', () => dialog.close());
    // A click beside the panel is one on the dialog itself: its content covers it.
    dialog.addEventListener('click', ({ target }) => target === dialog && dialog.close());
    dialog.addEventListener('close', () => this.#closed());
    window.addEventListener('hashchange', () => this.#follow());
    window.addEventListener('popstate', () => this.#follow());
    this.#follow();
  }

  /** Closes it if it shows this one. */
  leave(id) {
    if (read(location.hash)?.id === id) byId('details').close();
  }

  #follow() {
    const wanted = read(location.hash);
    const dialog = byId('details');
    if (!wanted) return void (dialog.open && dialog.close());
    if (dialog.open && this.#shown === location.hash) return;
    this.#drop();
    this.#shown = location.hash;
    this.#content = this.#open[wanted.kind](wanted.id, byId('details-body'));
    if (!dialog.open) dialog.showModal();
    dialog.scrollTop = 0;
    byId('details-title').focus();
  }

  #closed() {
    this.#drop();
    clear();
  }

  #drop() {
    this.#content?.close();
    this.#content = null;
    this.#shown = '';
    byId('details-body').replaceChildren();
  }
}
