/**
 * The form that sends an event by hand.
 */

import { byId, complain, make } from '../page/dom.js';
import { count } from '../page/format.js';
import { Problem, posting, requestJson } from '../page/problem.js';
import { isEventName, isSessionId } from './names.js';

/** The form's fields by their names in the request, which are also the names a problem uses. */
const fields = { event_type: 'event-type', data: 'event-data', session_filter: 'session-filter', subscription_filter: 'subscription-filter' };

const nameRule = 'A letter, then at most 63 letters, digits and _ . : -';

export class Broadcast {
  #owner;
  #session = null;

  /** @param {{onSending: (type: string) => void, onSent: () => void}} owner */
  constructor(owner) {
    this.#owner = owner;
    byId('broadcast-form').addEventListener('submit', (submitted) => {
      submitted.preventDefault();
      this.#submit();
    });
    byId('use-session').addEventListener('click', () => {
      byId('session-filter').value = this.#session;
      byId('session-filter').focus();
    });
  }

  /** @param {string | null} session */
  knowSession(session) {
    this.#session = session;
    byId('use-session').disabled = !session;
  }

  async #submit() {
    const typed = Object.fromEntries(Object.entries(fields).map(([name, id]) => [name, byId(id).value.trim()]));
    if (!this.#show(mistakes(typed))) return;
    this.#owner.onSending(typed.event_type);
    byId('send').disabled = true;
    try {
      answer('good', sentence(await requestJson('/events/broadcast', posting(bodyOf(typed)))));
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      this.#refused(problem);
    } finally {
      byId('send').disabled = false;
    }
    this.#owner.onSent();
  }

  #refused(problem) {
    const name = Object.keys(fields).find((name) => problem.field?.split(/[.[/]/).includes(name));
    if (name) this.#show({ [name]: problem.detail ?? problem.title });
    answer('bad', `${problem.message}${problem.code ? ` (${problem.code})` : ''}`);
  }

  /** @returns {boolean} Whether all is well. */
  #show(wrong) {
    for (const [name, id] of Object.entries(fields)) complain(byId(id), wrong[name] ?? '');
    const first = Object.keys(fields).find((name) => wrong[name]);
    if (!first) return true;
    byId('broadcast-answer').replaceChildren();
    byId(fields[first]).focus();
    return false;
  }
}

/** What is wrong with what was typed, by field. */
function mistakes({ event_type: type, data, session_filter: session, subscription_filter: subscription }) {
  return {
    event_type: isEventName(type) ? '' : nameRule,
    data: jsonMistake(data),
    session_filter: !session || isSessionId(session) ? '' : '1–128 letters, digits and _ . : @ -',
    subscription_filter: !subscription || isEventName(subscription) ? '' : nameRule,
  };
}

function jsonMistake(text) {
  if (!text) return 'Some JSON is needed; null will do';
  try {
    JSON.parse(text);
    return '';
  } catch (error) {
    return `No valid JSON: ${error.message}`;
  }
}

/** The data goes as it was typed: reading and writing it here would round its long numbers. */
function bodyOf({ event_type: type, data, session_filter: session, subscription_filter: subscription }) {
  const parts = [`"event_type":${JSON.stringify(type)}`, `"data":${data}`];
  if (session) parts.push(`"session_filter":${JSON.stringify(session)}`);
  if (subscription) parts.push(`"subscription_filter":${JSON.stringify(subscription)}`);
  return `{${parts.join(',')}}`;
}

function sentence({ event_id: id, matched }) {
  return `Sent as ${id} to ${count(matched)} ${matched === 1 ? 'stream' : 'streams'}.`;
}

function answer(tone, text) {
  byId('broadcast-answer').replaceChildren(make('p', { className: 'notice numbers', data: { tone } }, text));
}
