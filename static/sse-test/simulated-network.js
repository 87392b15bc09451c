/**
 * A network that can be switched off for this page alone.
 *
 * It is an environment for the client like the browser's own, except that while it is off every
 * stream breaks, every request fails and the page believes that it is offline.
 */

import { browserEnvironment } from '../tidings/environment.js';

export class SimulatedNetwork {
  #real = browserEnvironment();
  #sources = new Set();
  #onlineNews = new Set();
  #off = false;

  /** @type {import('../tidings/environment.js').Environment} */
  environment;

  constructor() {
    const network = this;
    this.environment = {
      ...this.#real,
      EventSource: class extends BreakableSource {
        constructor(...request) {
          super(...request);
          network.#sources.add(this);
          if (network.#off) queueMicrotask(() => this.break());
        }

        close() {
          network.#sources.delete(this);
          super.close();
        }
      },
      fetch: (...request) => (this.#off ? Promise.reject(new TypeError('offline')) : this.#real.fetch(...request)),
      isOnline: () => !this.#off && this.#real.isOnline(),
      on: (name, action) => this.#on(name, action),
    };
  }

  get isOff() {
    return this.#off;
  }

  /** @param {boolean} off */
  switch(off) {
    this.#off = off;
    if (off) for (const source of [...this.#sources]) source.break();
    else for (const action of [...this.#onlineNews]) action();
  }

  #on(name, action) {
    const stop = this.#real.on(name, action);
    if (name === 'online') this.#onlineNews.add(action);
    return () => {
      this.#onlineNews.delete(action);
      stop();
    };
  }
}

/** An EventSource whose connection a script can break. */
class BreakableSource extends EventSource {
  #broken = false;

  get readyState() {
    return this.#broken ? EventSource.CONNECTING : super.readyState;
  }

  /** Breaks for good, as without a network: once for the connection, once for the browser's own attempt. */
  break() {
    super.close();
    this.#broken = true;
    this.dispatchEvent(new Event('error'));
    this.dispatchEvent(new Event('error'));
  }
}
