/**
 * What goes wrong out there, at the press of a button.
 */

import { byId } from '../page/dom.js';
import { SlowReader } from './slow-reader.js';

export class Faults {
  #connection;
  #network;
  #onChange;
  /** @type {SlowReader | null} */
  #slow = null;

  /**
   * @param {{connection: import('./connection.js').Connection, network: import('./simulated-network.js').SimulatedNetwork, onChange: () => void}} parts
   */
  constructor({ connection, network, onChange }) {
    this.#connection = connection;
    this.#network = network;
    this.#onChange = onChange;
    byId('fault-drop').addEventListener('click', () => this.#client()?.reconnect());
    byId('fault-poll').addEventListener('click', () => this.#client()?.usePolling());
    byId('fault-offline').addEventListener('click', () => this.#toggleOffline());
    byId('fault-slow').addEventListener('click', () => this.#toggleSlow());
  }

  #client() {
    return this.#connection.client;
  }

  #toggleOffline() {
    this.#network.switch(!this.#network.isOff);
    press('fault-offline', this.#network.isOff);
  }

  #toggleSlow() {
    if (this.#slow) return this.#slow.stop();
    this.#slow = new SlowReader(Number(byId('slow-pace').value), {
      onReport: (words) => (byId('slow-report').textContent = words),
      onEnd: () => this.#slowEnded(),
    });
    press('fault-slow', true);
    byId('slow-pace').disabled = true;
    this.#onChange();
  }

  #slowEnded() {
    this.#slow = null;
    press('fault-slow', false);
    byId('slow-pace').disabled = false;
    this.#onChange();
  }
}

function press(id, pressed) {
  byId(id).setAttribute('aria-pressed', String(pressed));
}
