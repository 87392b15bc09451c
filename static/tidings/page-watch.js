/**
 * Follows what happens to the page: seen or hidden, left or returned to, with a network or without.
 */
export class PageWatch {
  #environment;
  #hiddenMs;
  #owner;
  #cancelNews = [];
  #cancelHiding = () => {};

  /**
   * @param {import('./environment.js').Environment} environment
   * @param {number} hiddenMs How long the page may be hidden before `hide`; 0 for ever.
   * @param {{hurry: () => void, hide: () => void, leave: () => void, comeBack: () => void}} owner `hurry`: somebody
   *   looks, or the network is back, so there is no reason to sit out a pause. `hide`: hidden for so long.
   *   `leave`: the page goes. `comeBack`: the browser had only put it aside.
   */
  constructor(environment, hiddenMs, owner) {
    this.#environment = environment;
    this.#hiddenMs = hiddenMs;
    this.#owner = owner;
  }

  /** Begins, unless it has begun. */
  start() {
    if (this.#cancelNews.length > 0) return;
    const { on } = this.#environment;
    this.#cancelNews = [
      on('online', () => this.#owner.hurry()),
      on('visible', () => this.#seen()),
      on('hidden', () => this.#planHiding()),
      on('leave', () => this.#owner.leave()),
      on('return', () => this.#owner.comeBack()),
    ];
    if (this.#environment.isHidden()) this.#planHiding();
  }

  stop() {
    this.#cancelHiding();
    for (const cancel of this.#cancelNews.splice(0)) cancel();
  }

  #seen() {
    this.#cancelHiding();
    this.#owner.hurry();
  }

  #planHiding() {
    this.#cancelHiding();
    if (this.#hiddenMs > 0) this.#cancelHiding = this.#environment.after(this.#hiddenMs, () => this.#owner.hide());
  }
}
