/**
 * The client in a fake world, and ways to bring it where a test begins.
 */

import { Tidings } from '../../../static/tidings.js';
import { fakeWorld } from './fakes.js';

/** A client in a fake world, with everything it handed over and every state it was in. */
export function start(options = {}) {
  const world = fakeWorld();
  const tidings = new Tidings({ subscribe: ['note', 'system'], environment: world.environment, ...options });
  const events = [];
  const states = [];
  tidings.on('*', ({ type, data, id }) => type !== 'connected' && events.push({ type, data, id }));
  tidings.onStatus(({ state }) => state !== states.at(-1) && states.push(state));
  return { world, tidings, events, states, data: () => events.map((event) => event.data) };
}

/** A minute of polling in which nothing happens; the server answers after its 25 seconds. */
export async function pollForAMinute({ clock, request }) {
  for (const seconds of [25, 25, 10]) {
    await clock.pass(seconds * 1000);
    if (seconds === 25) request().answer(200, { events: [], last_event_id: '6-0' });
  }
}

/** Fails the first attempt and all that follow until polling begins. */
export async function failUntilPolling({ world, tidings }) {
  while (tidings.status.state !== 'polling') {
    world.source().interrupt();
    await world.clock.pass(tidings.status.state === 'polling' ? 0 : tidings.status.retryAt - world.clock.now());
  }
}
