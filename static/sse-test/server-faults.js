/**
 * What the server breaks on purpose, if it was started for that: orders to it, and what is in force.
 *
 * Each fault is a row of the template; its fields bear the names that the server knows.
 */

import { byId, make } from '../page/dom.js';
import { clockTime, count } from '../page/format.js';
import { Problem, posting, requestJson } from '../page/problem.js';

const URL = '/events/faults';
const EVERY_MS = 1000;

/** These hit the stream that comes next, which only the session can name. */
const forTheNextStream = ['gap', 'refuse'];

export class ServerFaults {
  #connectionId = null;
  #sessionId = null;
  #timer = null;

  constructor() {
    for (const row of rows()) row.addEventListener('submit', (submitted) => this.#order(submitted, row));
    byId('lift-faults').addEventListener('click', () => this.#ask({ method: 'DELETE' }, 'All faults are lifted.'));
    document.addEventListener('visibilitychange', () => this.#look());
    this.#look();
  }

  /** The stream and the session that are hit. */
  knowMe(connectionId, sessionId) {
    this.#connectionId = connectionId;
    this.#sessionId = sessionId;
  }

  #order(submitted, row) {
    submitted.preventDefault();
    const fault = { type: row.dataset.fault, ...fieldsOf(row) };
    const scope = this.#scope(fault.type);
    if (!scope) return say('bad', 'There is no stream to break; connect first.');
    const seconds = Number(byId('fault-seconds').value);
    this.#ask(posting(JSON.stringify({ ...scope, fault, seconds })), fault.type === 'drop' ? '' : 'In force.');
  }

  #scope(type) {
    const wholeSession = forTheNextStream.includes(type) || byId('fault-scope').value === 'session';
    if (wholeSession) return this.#sessionId && { session_id: this.#sessionId };
    return this.#connectionId && { connection_id: this.#connectionId };
  }

  async #ask(options, done) {
    try {
      const answer = await requestJson(URL, options);
      const dropped = answer.dropped === undefined ? '' : `Streams dropped: ${count(answer.dropped)}.`;
      say('good', [done, dropped].filter(Boolean).join(' '));
      this.#show(answer);
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      say('bad', problem.message);
    }
  }

  /** Asks what is in force; again in a moment, as long as something is and somebody looks. */
  async #look() {
    if (document.hidden) return;
    try {
      this.#show(await requestJson(URL));
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      this.#again();
    }
  }

  #again() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#look(), EVERY_MS);
  }

  #show({ faults }) {
    byId('faults-in-force').replaceChildren(...faults.map((fault) => make('li', {}, this.#inWords(fault))));
    byId('no-faults').hidden = faults.length > 0;
    byId('lift-faults').disabled = faults.length === 0;
    if (faults.length > 0) this.#again();
  }

  #inWords({ fault: { type, ...fields }, connection_id: connection, session_id: session, left, until }) {
    const mine = connection === this.#connectionId || session === this.#sessionId;
    const what = connection ? `${mine ? 'this' : 'a'} stream` : `${mine ? 'this' : 'another'} session`;
    const values = Object.entries(fields).map(([name, value]) => `${name.replaceAll('_', ' ')} ${value}`);
    const times = left === undefined ? [] : [`${count(left)} left`];
    return [type.replaceAll('_', ' '), ...values, what, ...times, `until ${clockTime(Date.parse(until))}`].join(' · ');
  }
}

function rows() {
  return document.querySelectorAll('form[data-fault]');
}

/** Numbers as numbers, yes and no as such. */
function fieldsOf(row) {
  const fields = [...row.elements].filter((element) => element.name);
  return Object.fromEntries(fields.map(({ name, type, value }) => [name, typed(type, value)]));
}

function typed(type, value) {
  if (type === 'number') return Number(value);
  return { true: true, false: false }[value] ?? value;
}

function say(tone, text) {
  byId('fault-answer').replaceChildren(make('p', { className: 'notice small numbers', data: { tone } }, text));
}
