/**
 * The stream of the test page: which types, since when, and how it stands.
 */

import { StatusDot, Tidings } from '/static/tidings.js';
import { inWords } from '../tidings/status.js';
import { byId, complain } from '../page/dom.js';
import { clockTime, count, duration } from '../page/format.js';
import { isEventName, namesIn } from './names.js';

const tones = { open: 'good', polling: 'fair', connecting: 'fair', waiting: 'fair', offline: 'bad', failed: 'bad', closed: '' };

export class Connection {
  #environment;
  #owner;
  #dot = null;
  #received = 0;
  /** @type {Tidings | null} */
  client = null;

  /**
   * @param {import('../tidings/environment.js').Environment} environment
   * @param {{onEvent: (event: import('../tidings.js').Message) => void, onClient: (client: Tidings) => void, onStatus: (status: import('../tidings.js').Status) => void}} owner
   */
  constructor(environment, owner) {
    this.#environment = environment;
    this.#owner = owner;
    byId('connection-form').addEventListener('submit', (submitted) => {
      submitted.preventDefault();
      this.connect();
    });
    byId('disconnect').addEventListener('click', () => this.client?.close());
    // Only what counts by itself; everything else is shown when it happens.
    setInterval(() => this.client && this.#showTimes(this.client.status), 1000);
  }

  /** Opens a stream of the chosen types; it resumes where the one before it left off. */
  connect() {
    const subscribe = this.#chosenTypes();
    if (!subscribe) return;
    const lastEventId = this.client?.lastEventId ?? undefined;
    this.client?.close();
    this.#dot?.close();
    this.client = new Tidings({
      subscribe: subscribe.length > 0 ? subscribe : undefined,
      lastEventId,
      environment: this.#environment,
      autoConnect: false,
    });
    this.#follow(this.client);
    this.client.connect();
  }

  /** Also shows events of this type. */
  listen(type) {
    this.client?.on(type, () => {});
  }

  #follow(client) {
    for (const type of knownTypes()) client.on(type, () => {});
    client.on('*', (event) => {
      this.#received += event.type === 'ping' ? 0 : 1;
      this.#owner.onEvent(event);
      this.#showCounts();
    });
    this.#owner.onClient(client);
    this.#dot = new StatusDot(byId('status-dot'), client);
    client.onStatus((status) => {
      this.#show(status);
      this.#owner.onStatus(status);
    });
  }

  /** @returns {string[] | null} Null if a name cannot be one. */
  #chosenTypes() {
    const field = byId('more-types');
    const wrong = namesIn(field.value).find((name) => !isEventName(name));
    complain(field, wrong ? `“${wrong}” is no event type: a letter, then letters, digits and _ . : -` : '');
    if (wrong) {
      field.focus();
      return null;
    }
    const chosen = [...document.querySelectorAll('#types :checked')].map((box) => box.value);
    return [...new Set([...chosen, ...namesIn(field.value)])];
  }

  #show(status) {
    const badge = byId('connection-state');
    badge.textContent = status.state;
    badge.dataset.tone = tones[status.state];
    byId('connect').textContent = status.state === 'closed' ? 'Connect' : 'Reconnect';
    byId('disconnect').disabled = status.state === 'closed';
    byId('fact-way').textContent = { open: 'event stream', polling: 'long polling' }[status.state] ?? '–';
    byId('fact-connection').textContent = status.connectionId ?? '–';
    byId('fact-session').textContent = status.sessionId ?? '–';
    byId('fact-attempts').textContent = count(status.attempt);
    this.#showProblem(status);
    this.#showTimes(status);
    this.#showCounts();
  }

  #showProblem({ problem, reason }) {
    const { title, detail, code } = problem ?? {};
    const said = [title, detail].filter(Boolean).join(': ');
    byId('connection-problem').hidden = !said;
    byId('connection-problem').textContent = said && `${said}${code ? ` (${code})` : reason ? ` (${reason})` : ''}`;
  }

  #showTimes(status) {
    const now = Date.now();
    const waits = status.state === 'waiting' ? ` · ${inWords(status, now)}` : '';
    byId('fact-since').textContent = `${clockTime(status.since)}, for ${duration((now - status.since) / 1000)}${waits}`;
  }

  #showCounts() {
    byId('fact-received').textContent = `${count(this.#received)} events`;
    byId('fact-last').textContent = this.client?.lastEventId ?? '–';
  }
}

/** Every type the page knows of, chosen or not: an event may reach us by the subscription to another type. */
function knownTypes() {
  return [...document.querySelectorAll('#types input')].map((box) => box.value);
}
