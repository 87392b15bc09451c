/**
 * The table of open connections, a page at a time: there may be thousands.
 */

import { byId, make } from '../page/dom.js';
import { bytes, clockTime, count } from '../page/format.js';

const PER_PAGE = 20;

export class Connections {
  #onTurn;
  #connectionId = null;
  #sessionId = null;
  #after = null;
  #next = null;
  #page = 1;

  /** @param {() => void} onTurn Another page is wanted. */
  constructor(onTurn) {
    this.#onTurn = onTurn;
    byId('first-page').addEventListener('click', () => this.#turn(null, 1));
    byId('next-page').addEventListener('click', () => this.#turn(this.#next, this.#page + 1));
    byId('only-mine').addEventListener('change', () => this.#turn(null, 1));
  }

  knowMe(connectionId, sessionId) {
    this.#connectionId = connectionId;
    this.#sessionId = sessionId ?? this.#sessionId;
  }

  /** What to ask the server for. */
  query() {
    const query = new URLSearchParams({ limit: PER_PAGE });
    if (this.#after) query.set('after', this.#after);
    if (byId('only-mine').checked && this.#sessionId) query.set('session_id', this.#sessionId);
    return query;
  }

  show({ connections, next, total_connections: total }) {
    this.#next = next;
    const rows = connections.map((connection) => this.#row(connection));
    byId('connections').replaceChildren(...(rows.length > 0 ? rows : [emptyRow()]));
    byId('first-page').disabled = this.#page === 1;
    byId('next-page').disabled = !next;
    byId('page-line').textContent = `Page ${this.#page}, ${count(connections.length)} of ${count(total)}`;
  }

  #turn(after, page) {
    this.#after = after;
    this.#page = page;
    this.#onTurn();
  }

  #row(connection) {
    const { connection_id: id, session_id: session, subscriptions, user_ip: address } = connection;
    const cells = [
      make('td', {}, short(id)),
      make('td', {}, session ? short(session) : '–'),
      make('td', { className: 'mono' }, address ?? '–'),
      make('td', {}, connection.door ?? '–'),
      make('td', {}, make('span', { className: 'badge', data: { tone: tone(connection) } }, connection.state ?? '–')),
      make('td', { className: 'types' }, (subscriptions ?? []).join(', ') || 'all'),
      make('td', { className: 'num' }, count(connection.queue_size)),
      make('td', { className: 'num' }, count(connection.events_sent)),
      make('td', { className: 'num' }, bytes(connection.bytes_sent)),
      make('td', {}, clockTime(Date.parse(connection.created_at))),
    ];
    return make('tr', { className: id === this.#connectionId ? 'mine' : '' }, ...cells);
  }
}

/** The first part tells connections apart well enough; the whole id is in the tooltip. */
function short(id) {
  return make('span', { className: 'mono', title: id }, id.length > 10 ? `${id.slice(0, 8)}…` : id);
}

function tone({ is_active: active, state }) {
  if (active === false) return 'bad';
  return { direct: 'good', lagging: 'fair' }[state] ?? '';
}

function emptyRow() {
  return make('tr', {}, make('td', { colSpan: 10, className: 'muted' }, 'Nobody is connected.'));
}
