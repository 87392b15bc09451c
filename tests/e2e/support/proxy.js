/**
 * A TCP proxy in front of the server, so that a test can cut what lies between it and the browser.
 */

import { connect, createServer } from 'node:net';

export class Proxy {
  #sockets = new Set();
  #server = createServer((client) => this.#carry(client));
  #down = false;
  /** How many connections there were. */
  opened = 0;

  /** @param {number} target The server's port; may be set anew. */
  constructor(target) {
    this.target = target;
  }

  async start() {
    await new Promise((ready) => this.#server.listen(0, '127.0.0.1', ready));
    this.origin = `http://127.0.0.1:${this.#server.address().port}`;
    return this;
  }

  /** Cuts every connection in the middle of whatever it carries. */
  cut() {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  /** Cuts, and lets nothing through until `mend`. */
  sever() {
    this.#down = true;
    this.cut();
  }

  mend() {
    this.#down = false;
  }

  stop() {
    this.#server.close();
    this.cut();
  }

  #carry(client) {
    if (this.#down) return client.resetAndDestroy();
    this.opened += 1;
    const server = connect(this.target, '127.0.0.1');
    for (const [socket, other] of [[client, server], [server, client]]) {
      this.#sockets.add(socket);
      // A cut is what this is for.
      socket.on('error', () => {});
      socket.on('close', () => {
        this.#sockets.delete(socket);
        other.destroy();
      });
      socket.pipe(other);
    }
  }
}
