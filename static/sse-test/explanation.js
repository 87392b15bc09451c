/**
 * Why this page got an event, and when: the server's own account of it, in sentences.
 */

import { make } from '../page/dom.js';
import { dayAndTime, preciseTime } from '../page/format.js';
import { Problem, requestJson } from '../page/problem.js';

/** What the server says of the stream itself: no events that have a way to be told. */
const noEvents = ['connected', 'gap', 'ping'];

const tones = { delivered: 'good', conflated: 'fair', queued: 'fair', gap: 'fair', ended_before: 'fair' };

/**
 * The button that asks, and where the answer comes; null for what has no way to be told.
 *
 * @param {import('../tidings.js').Message} event
 * @param {{connectionId: string | null, sessionId: string | null}} me Who we were when it came.
 */
export function explanation({ type, id }, { connectionId, sessionId }) {
  const client = connectionId ? { connection: connectionId } : { session: sessionId };
  if (!id || noEvents.includes(type) || !(connectionId || sessionId)) return null;
  const answer = make('div', { className: 'explanation', aria: { live: 'polite' } });
  const button = make('button', { type: 'button', className: 'button small' }, 'Explain');
  button.addEventListener('click', async () => {
    // Not disabled: whoever came by keyboard would lose the place.
    button.setAttribute('aria-busy', 'true');
    answer.replaceChildren(...(await sentences(new URLSearchParams({ event: id, ...client }))));
    button.removeAttribute('aria-busy');
    answer.scrollIntoView({ block: 'nearest' });
  });
  return make('div', { className: 'explain' }, button, answer);
}

async function sentences(question) {
  try {
    return told(await requestJson(`/events/explain?${question}`));
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    return [make('p', { className: 'notice', data: { tone: 'bad' } }, problem.message)];
  }
}

function told({ verdict, because, steps, connections, replayable_until: until }) {
  const word = make('span', { className: 'badge', data: { tone: tones[verdict] ?? '' } }, verdict.replaceAll('_', ' '));
  const replayed = until && `A client that comes back with an earlier id gets it until ${dayAndTime(Date.parse(until))}.`;
  // Asked for a session, the server tells of each of its connections; one of them decides.
  const way = steps ?? connections?.find((connection) => connection.verdict === verdict)?.steps ?? [];
  return [
    make('p', {}, word, ' ', because),
    make('ol', {}, ...way.map(({ at, detail }) => make('li', {}, make('time', { className: 'numbers', dateTime: at }, timeOf(at)), make('span', {}, detail)))),
    replayed && make('p', { className: 'muted' }, replayed),
  ].filter(Boolean);
}

const timeOf = (iso) => preciseTime(Date.parse(iso));
