/**
 * What the server says of itself, asked every two seconds while somebody looks.
 */

import { Chart } from '../page/chart.js';
import { byId, make } from '../page/dom.js';
import { bytes, count, duration, shortCount } from '../page/format.js';
import { Problem, requestJson } from '../page/problem.js';
import { Connections } from './connections.js';

const EVERY_MS = 2000;

export class Server {
  #chart = new Chart(byId('chart'), byId('chart-caption'), 'deliveries');
  #connections = new Connections(() => this.refresh());
  #timer = null;
  #asking = false;

  constructor() {
    document.addEventListener('visibilitychange', () => this.refresh());
    this.refresh();
  }

  /** Marks our own rows. */
  knowMe(connectionId, sessionId) {
    this.#connections.knowMe(connectionId, sessionId);
  }

  /** Asks now instead of in a moment; not at all while nobody looks. */
  async refresh() {
    clearTimeout(this.#timer);
    if (document.hidden || this.#asking) return;
    this.#asking = true;
    try {
      this.#show(await requestJson(`/events/status?${this.#connections.query()}`));
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      byId('server-line').textContent = problem.message;
    } finally {
      this.#asking = false;
      this.#timer = setTimeout(() => this.refresh(), EVERY_MS);
    }
  }

  #show(status) {
    const { version, uptime_seconds: uptime } = status.server ?? {};
    byId('server-line').textContent = `Version ${version}, up ${duration(uptime)}`;
    byId('figures').replaceChildren(...figures(status).flatMap(([name, value, full]) => [
      make('div', {}, make('dt', {}, name), make('dd', { title: full ?? '' }, value)),
    ]));
    this.#chart.add(status.totals?.events_delivered);
    this.#connections.show(status);
  }
}

function figures({ total_connections: open, totals = {}, rates = {}, history = {}, server = {} }) {
  const ended = Object.entries(totals.streams_ended ?? {}).filter(([, times]) => times > 0);
  const endings = ended.map(([reason, times]) => `${reason}: ${count(times)}`).join('\n');
  return [
    ['Streams open', count(open)],
    ['Streams ended', count(ended.reduce((sum, [, times]) => sum + times, 0)), endings],
    ['HTTP connections', count(server.http_connections)],
    ['Events published', shortCount(totals.events_published), count(totals.events_published)],
    ['Delivered', shortCount(totals.events_delivered), count(totals.events_delivered)],
    ['Bytes sent', bytes(totals.bytes_sent)],
    ['Published a second', shortCount(rates.published_per_second)],
    ['In the history', shortCount(history.events), `${count(history.events)} events, ${bytes(history.bytes)}`],
  ];
}
