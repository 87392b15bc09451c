/**
 * The list of events: newest first, bounded, filtered by type and text, and it can be paused.
 *
 * Events come faster than a page can draw. They are gathered and drawn once per frame, and never more
 * rows exist than the list may have.
 */

import { byId, make } from '../page/dom.js';
import { count, preciseTime } from '../page/format.js';
import { explanation } from './explanation.js';

/** How many events are kept. */
const LIMIT = 500;

export class EventLog {
  /** Newest last. @type {Entry[]} */
  #kept = [];
  /** Arrived, not yet in the list: for the next frame, or because it is paused. @type {Entry[]} */
  #waiting = [];
  #types = new Set();
  #paused = false;
  #planned = false;
  #me = { connectionId: null, sessionId: null };

  constructor() {
    byId('pause').addEventListener('click', () => this.#togglePause());
    byId('clear').addEventListener('click', () => this.#clear());
    for (const id of ['filter-type', 'filter-text', 'show-pings']) byId(id).addEventListener('input', () => this.#redraw());
    this.#count();
  }

  /** Who gets what comes from now on. */
  knowMe(connectionId, sessionId) {
    this.#me = { connectionId, sessionId };
  }

  /** @param {import('../tidings.js').Message} event */
  add(event) {
    this.#waiting.push(new Entry(event, this.#me));
    if (this.#waiting.length > LIMIT) this.#waiting.shift();
    this.#plan();
  }

  #plan() {
    if (this.#planned) return;
    this.#planned = true;
    // A hidden page has no frames, so its events wait, bounded, until it is looked at.
    requestAnimationFrame(() => {
      this.#planned = false;
      if (!this.#paused) this.#take();
      this.#count();
    });
  }

  #take() {
    const fresh = this.#waiting.splice(0);
    this.#kept.push(...fresh);
    for (const entry of this.#kept.splice(0, Math.max(0, this.#kept.length - LIMIT))) entry.forget();
    fresh.forEach((entry) => this.#knowType(entry.event.type));
    const rows = fresh.filter((entry) => this.#wants(entry)).map((entry) => entry.row());
    byId('log-rows').prepend(...rows.reverse());
  }

  #wants({ event, text }) {
    if (event.type === 'ping' && !byId('show-pings').checked) return false;
    const type = byId('filter-type').value;
    const wanted = byId('filter-text').value.trim().toLowerCase();
    return (!type || type === event.type) && (!wanted || text.includes(wanted));
  }

  #redraw() {
    const rows = this.#kept.filter((entry) => this.#wants(entry)).map((entry) => entry.row());
    byId('log-rows').replaceChildren(...rows.reverse());
    this.#count();
  }

  #togglePause() {
    this.#paused = !this.#paused;
    byId('pause').setAttribute('aria-pressed', String(this.#paused));
    if (!this.#paused) this.#take();
    this.#count();
  }

  #clear() {
    this.#kept = [];
    this.#waiting = [];
    this.#redraw();
  }

  #knowType(type) {
    if (this.#types.has(type)) return;
    this.#types.add(type);
    byId('filter-type').append(make('option', { value: type }, type));
  }

  #count() {
    const shown = byId('log-rows').childElementCount;
    const parts = [`${count(shown)} shown of ${count(this.#kept.length)} kept (at most ${LIMIT})`];
    if (this.#paused) parts.push(`paused, ${count(this.#waiting.length)} waiting`);
    byId('log-count').textContent = parts.join(' · ');
    byId('log-empty').hidden = shown > 0;
    byId('log-empty').textContent = this.#kept.length > 0 ? 'Nothing here matches the filters.' : 'Nothing yet. Send a test event, or wait for one.';
  }
}

/** One event and, once it was shown, its row. */
class Entry {
  #row = null;

  constructor(event, me) {
    this.event = event;
    this.me = me;
    this.json = typeof event.data === 'string' ? event.data : JSON.stringify(event.data);
    this.text = `${event.type} ${event.id ?? ''} ${this.json}`.toLowerCase();
  }

  row() {
    this.#row ??= rowOf(this);
    return this.#row;
  }

  forget() {
    this.#row?.remove();
    this.#row = null;
  }
}

function rowOf({ event, json, me }) {
  const details = make('details', {},
    make('summary', {},
      make('span', { className: 'when numbers' }, preciseTime(event.receivedAt)),
      make('span', { className: 'badge', data: { tone: tone(event) } }, event.type),
      make('span', { className: 'gist' }, gist(event, json)),
      make('span', { className: 'latency numbers' }, latency(event) ?? ''),
    ));
  // Most rows are never opened; their details are made when one is.
  details.addEventListener('toggle', () => details.open && details.append(detailsOf(event, me)), { once: true });
  return make('li', { data: { type: event.type, id: event.id ?? '' } }, details);
}

function detailsOf(event, me) {
  const facts = [
    ['Id', event.id ?? 'none'],
    ['Taken by the server', event.time === null ? 'unknown' : preciseTime(event.time)],
    ['Received', preciseTime(event.receivedAt)],
    ['On the way', latency(event) ?? 'unknown'],
    ['Came by', event.via === 'poll' ? 'long polling' : 'event stream'],
  ];
  const list = make('dl', { className: 'facts numbers' });
  for (const [name, value] of facts) list.append(make('dt', {}, name), make('dd', {}, value));
  const pretty = typeof event.data === 'string' ? event.data : JSON.stringify(event.data, null, 2);
  return make('div', { className: 'details' }, list, make('pre', { tabIndex: 0, aria: { label: 'Data' } }, pretty), explanation(event, me));
}

function gist({ type, data }, json) {
  if (type !== 'gap') return json.slice(0, 300);
  const why = { expired: 'they were too old', overflow: 'there were too many', restart: 'the server was restarted' }[data?.reason];
  return `Events are missing: ${why ?? data?.reason ?? 'the server does not say why'}`;
}

function tone({ type, data }) {
  if (type === 'gap') return 'fair';
  if (type === 'summary_complete') return 'good';
  if (type === 'system') return { error: 'bad', warning: 'fair' }[data?.type] ?? 'tide';
  return type === 'ping' ? '' : 'tide';
}

/** By two clocks; only as true as they agree. A greeting's id is where we left off and says nothing of its age. */
function latency({ type, time, receivedAt }) {
  return time === null || type === 'connected' || type === 'gap' ? null : `${Math.max(0, receivedAt - time)} ms`;
}
