/**
 * The real program on a port of its own: the release build, or the one named by TIDINGS_BIN.
 */

import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const program = process.env.TIDINGS_BIN ?? fileURLToPath(new URL('../../../target/release/tidings', import.meta.url));

export class TidingsServer {
  #process;
  #directory;
  #log = '';

  /** Starts it and waits until it says where it listens. */
  async start(...flags) {
    this.#directory = await mkdtemp(join(tmpdir(), 'tidings-e2e-'));
    return this.#begin(flags);
  }

  /** Ends it as a crash does, and starts another one on what it has left. */
  async crash(...flags) {
    await this.#end('SIGKILL');
    return this.#begin(flags);
  }

  async #begin(flags) {
    this.#log = '';
    // Nothing of the tester's own environment may decide a test, TIDINGS_BIN least of all.
    const options = { cwd: this.#directory, env: {}, stdio: ['ignore', 'ignore', 'pipe'] };
    this.#process = spawn(program, ['--listen', '127.0.0.1:0', ...flags], options);
    this.port = await this.#address();
    this.origin = `http://127.0.0.1:${this.port}`;
    return this;
  }

  #address() {
    return new Promise((resolve, reject) => {
      const failed = (why) => reject(new Error(`${program}: ${why}\n${this.#log}`));
      const timer = setTimeout(() => failed('did not say where it listens'), 10_000);
      this.#process.on('error', (error) => failed(error.message));
      this.#process.on('exit', (code) => failed(`ended with ${code}`));
      this.#process.stderr.setEncoding('utf8').on('data', (text) => {
        this.#log += text;
        const port = /127\.0\.0\.1:(\d+)/.exec(this.#log)?.[1];
        if (!port) return;
        clearTimeout(timer);
        resolve(Number(port));
      });
    });
  }

  /** Ends it: politely, or as a crash does. */
  async stop(signal = 'SIGTERM') {
    if (!this.#process) return;
    await this.#end(signal);
    await rm(this.#directory, { recursive: true, force: true });
  }

  async #end(signal) {
    const ended = new Promise((done) => this.#process.once('exit', done));
    if (this.#process.exitCode === null && this.#process.kill(signal)) await ended;
    this.#process = null;
  }

  /** Publishes an event; returns the server's answer. */
  async broadcast(body) {
    const response = await fetch(`${this.origin}/events/broadcast`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ event_type: 'test', ...body }),
    });
    if (!response.ok) throw new Error(`broadcast: ${response.status} ${await response.text()}`);
    return response.json();
  }

  async status() {
    return (await fetch(`${this.origin}/events/status`)).json();
  }
}
