/**
 * A stream whose reader cannot keep up: what it does not take fills the sockets' buffers, then the
 * server's queue for it, until the server lets it go. Nobody else may notice.
 */

import { bytes, duration } from '../page/format.js';

export class SlowReader {
  #pace;
  #owner;
  #stop = new AbortController();
  #began = Date.now();
  #read = 0;

  /**
   * @param {number} pace Bytes a second; 0 takes nothing.
   * @param {{onReport: (words: string) => void, onEnd: () => void}} owner
   */
  constructor(pace, owner) {
    this.#pace = pace;
    this.#owner = owner;
    this.#run();
  }

  stop() {
    this.#stop.abort();
  }

  async #run() {
    let end = 'ended by the server';
    const ticking = setInterval(() => this.#report('open'), 1000);
    try {
      await this.#drain(await this.#open());
    } catch (error) {
      end = this.#stop.signal.aborted ? 'ended by you' : `ended: ${error.message}`;
    }
    clearInterval(ticking);
    this.#report(end);
    this.#owner.onEnd();
  }

  async #open() {
    this.#report('opening');
    const response = await fetch('/events', { headers: { accept: 'text/event-stream' }, cache: 'no-store', signal: this.#stop.signal });
    if (!response.ok) throw new Error(`the server answered ${response.status}`);
    return response.body.getReader();
  }

  async #drain(reader) {
    if (this.#pace === 0) await this.#pause(Infinity);
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      this.#read += value.length;
      await this.#pause((value.length / this.#pace) * 1000);
    }
  }

  #pause(ms) {
    return new Promise((resume, fail) => {
      if (ms !== Infinity) setTimeout(resume, ms);
      this.#stop.signal.addEventListener('abort', () => fail(new Error('stopped')), { once: true });
    });
  }

  #report(state) {
    const age = duration((Date.now() - this.#began) / 1000);
    this.#owner.onReport(`Slow reader: ${state}, ${bytes(this.#read)} taken in ${age}.`);
  }
}
