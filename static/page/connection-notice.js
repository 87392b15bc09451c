/**
 * Tells the reader when nothing can arrive, and the page when it can again.
 */

import { inWords } from '../tidings/status.js';
import { byId } from './dom.js';

/** A moment's interruption is not worth a word. */
const PATIENCE_MS = 1500;

export class ConnectionNotice {
  #onReturn;
  #wasAway = false;
  #timer = null;

  /**
   * @param {import('../tidings.js').Tidings} tidings
   * @param {{onReturn: () => void}} owner
   */
  constructor(tidings, { onReturn }) {
    this.#onReturn = onReturn;
    tidings.onStatus((status) => this.#follow(status));
  }

  #follow(status) {
    clearTimeout(this.#timer);
    if (status.state === 'open' || status.state === 'polling') return this.#here();
    if (status.state === 'connecting' && !this.#wasAway && status.reason === null) return;
    this.#wasAway = true;
    this.#timer = setTimeout(() => this.#show(status), PATIENCE_MS);
  }

  #here() {
    byId('connection-notice').hidden = true;
    if (this.#wasAway) this.#onReturn();
    this.#wasAway = false;
  }

  #show(status) {
    const calm = status.state === 'offline' ? 'What you sent goes on at the server.' : 'Work goes on; what you miss is fetched afterwards.';
    byId('connection-notice').textContent = `${inWords(status, Date.now())}. ${status.state === 'failed' ? '' : calm}`;
    byId('connection-notice').hidden = false;
  }
}
