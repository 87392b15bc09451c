/**
 * The client's decisions about its stream, with time, network and browser in the test's hand.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inWords } from '../../static/tidings/status.js';
import { start } from './support/client.js';

test('a greeting opens it and tells who we are', () => {
  const { world, tidings } = start();
  assert.equal(world.source().url, '/events?subscribe=note,system');
  assert.equal(tidings.status.state, 'connecting');
  world.source().greet('5-0');
  assert.equal(tidings.status.state, 'open');
  assert.equal(tidings.status.connectionId, 'c');
  assert.equal(tidings.status.sessionId, 's');
  assert.equal(tidings.lastEventId, '5-0');
});

test('an event is handed over with its data, id and time', () => {
  const { world, tidings } = start();
  const got = [];
  tidings.on('note', (event) => got.push(event));
  world.source().greet();
  world.source().send('note', { n: 1 }, '1700000000123-4');
  assert.deepEqual({ ...got[0] }, {
    type: 'note', data: { n: 1 }, id: '1700000000123-4', time: 1_700_000_000_123,
    receivedAt: world.clock.now(), via: 'stream',
  });
});

test('chance makes a pause longer, never longer than the cap', async () => {
  const { world, tidings } = start({ backoff: { capMs: 2100 } });
  world.environment.random = () => 0.5;
  for (const pause of [1100, 2100, 2100]) {
    world.source().interrupt();
    assert.equal(tidings.status.retryAt - world.clock.now(), pause);
    await world.clock.pass(pause);
  }
});

test('a stream that lived makes up for failures; one that fell at once does not', async () => {
  const { world, tidings } = start();
  world.source().interrupt();
  await world.clock.pass(1000);
  world.source().greet();
  await world.clock.pass(4999);
  world.source().interrupt();
  assert.equal(tidings.status.attempt, 2);
  await world.clock.pass(2000);
  world.source().greet();
  await world.clock.pass(5000);
  world.source().reject();
  world.request().answer(502, {});
  await world.clock.pass(0);
  assert.equal(tidings.status.attempt, 1);
});

test('the first loss of a good stream is left to the browser, which knows the pace', async () => {
  const { world, tidings } = start();
  world.source().greet();
  await world.clock.pass(10_000);
  world.source().interrupt();
  assert.equal(tidings.status.state, 'connecting');
  await world.clock.pass(20_000);
  assert.equal(world.sources.length, 1);
  world.source().greet('9-0');
  assert.equal(tidings.status.state, 'open');
});

test('when the browser fails too, our own attempt resumes by query', async () => {
  const { world } = start();
  world.source().greet('5-0');
  world.source().send('note', 1, '6-0');
  await world.clock.pass(10_000);
  world.source().interrupt();
  world.source().interrupt();
  await world.clock.pass(1000);
  assert.equal(world.source().url, '/events?subscribe=note,system&last_event_id=6-0');
});

test('what was handed over is not handed over again', () => {
  const { world, tidings, data } = start();
  world.source().greet('5-0');
  world.source().send('note', 'a', '6-0');
  world.source().send('note', 'a', '6-0');
  tidings.reconnect();
  world.source().greet('5-0');
  world.source().send('note', 'a', '6-0');
  world.source().send('note', 'b', '7-0');
  assert.deepEqual(data(), ['a', 'b']);
});

test('an event without an id of its own is no repeat of the one before it', () => {
  const { world, events } = start();
  world.source().greet('5-0');
  world.source().send('system', { message: 'first' }, '6-0');
  world.source().send('system', { message: 'going down', retry_ms: 5 });
  world.source().send('ping', 'keep-alive');
  world.source().send('ping', 'keep-alive');
  assert.deepEqual(events.map(({ type, id }) => [type, id]), [['system', '6-0'], ['system', null], ['ping', null], ['ping', null]]);
});

test('a gap is told, and the next resume begins beyond it', async () => {
  const { world, tidings, events } = start({ lastEventId: '3-0' });
  assert.match(world.source().url, /last_event_id=3-0/);
  world.source().greet('9-0');
  world.source().send('gap', { from: '3-0', to: '8-0', reason: 'restart' });
  assert.equal(events[0].type, 'gap');
  tidings.reconnect();
  assert.match(world.source().url, /last_event_id=8-0/, 'what follows the gap was not heard yet');
});

test('a refusal is no failure: it waits as long as it was told', async () => {
  const { world, tidings } = start();
  for (let refusals = 0; refusals < 10; refusals += 1) {
    world.source().send('system', { type: 'refused', reason: 'max_connections', retry_ms: 7000 });
    assert.equal(tidings.status.reason, 'refused');
    assert.equal(tidings.status.retryAt - world.clock.now(), 7000);
    assert.equal(tidings.status.attempt, 0);
    world.news.get('visible')();
    await world.clock.pass(7000);
    assert.equal(world.sources.length, refusals + 2);
  }
});

test('a server that stops sets the time of the return, however young the stream is', async () => {
  const { world, tidings, events } = start();
  world.source().greet('5-0');
  world.source().send('system', { type: 'reconnect', reason: 'shutdown', retry_ms: 9000 });
  assert.deepEqual([tidings.status.state, tidings.status.reason, tidings.status.attempt], ['waiting', 'restarting', 0]);
  assert.equal(events.at(-1).data.type, 'reconnect', 'the page hears of it too');
  assert.match(inWords(tidings.status, world.clock.now()), /back shortly, in 9 s/);
  world.news.get('visible')();
  await world.clock.pass(8999);
  assert.equal(world.sources.length, 1, 'neither the backoff nor the page hurries it');
  await world.clock.pass(1);
  assert.match(world.source().url, /last_event_id=5-0/);
  // Only when the server is not there by then does the backoff begin.
  world.source().interrupt();
  assert.deepEqual([tidings.status.attempt, tidings.status.retryAt - world.clock.now()], [1, 1000]);
});

test('a farewell that names a pause is honoured when the stream then falls', async () => {
  const { world, tidings } = start();
  world.source().greet();
  world.source().send('system', { message: 'restarting', retry_ms: 9000 });
  world.source().interrupt();
  assert.equal(tidings.status.retryAt - world.clock.now(), 9000);
});

test('a stream on which nothing is heard is dead', async () => {
  const { world, tidings } = start();
  world.source().greet();
  for (let minutes = 0; minutes < 5; minutes += 1) {
    await world.clock.pass(60_000);
    world.source().send('ping', 'keep-alive');
  }
  assert.equal(tidings.status.state, 'open');
  await world.clock.pass(75_000);
  assert.equal(tidings.status.reason, 'silent');
  assert.equal(world.source().readyState, 2);
});

test('a stream that a proxy holds back counts as failed', async () => {
  const { world, tidings } = start();
  await world.clock.pass(15_000);
  assert.equal(tidings.status.reason, 'unanswered');
  await world.clock.pass(1000);
  assert.equal(world.sources.length, 2);
});

test('a rejection for good is shown, not repeated', async () => {
  const { world, tidings } = start();
  world.source().reject();
  assert.equal(world.request().url, '/events/poll?subscribe=note,system');
  world.request().answer(400, { title: 'Bad request', detail: 'unknown event type `note`', code: 'unknown_type' });
  await world.clock.pass(600_000);
  assert.equal(tidings.status.state, 'failed');
  assert.equal(tidings.status.problem.code, 'unknown_type');
  assert.equal(world.sources.length, 1);
  tidings.connect();
  assert.equal(world.sources.length, 2);
});

test('a rejection for now is tried again, not before Retry-After', async () => {
  const { world, tidings } = start();
  world.source().reject();
  world.request().answer(503, { title: 'Busy' }, { 'retry-after': '12' });
  await world.clock.pass(0);
  assert.equal(tidings.status.retryAt - world.clock.now(), 12_000);
});

test('without a network it does not use up its attempts; with one it hurries', async () => {
  const { world, tidings } = start();
  world.online = false;
  world.source().interrupt();
  assert.equal(tidings.status.state, 'offline');
  await world.clock.pass(600_000);
  assert.notEqual(tidings.status.state, 'polling');
  world.source().interrupt();
  world.online = true;
  const attempts = world.sources.length;
  world.news.get('online')();
  assert.equal(world.sources.length, attempts + 1);
});

test('a page that is looked at again does not sit out its pause', () => {
  const { world } = start();
  world.source().interrupt();
  world.news.get('visible')();
  assert.equal(world.sources.length, 2);
});

test('a page hidden for long gives its connection back until it is seen', async () => {
  const { world, tidings } = start({ timings: { hiddenMs: 60_000 } });
  world.source().greet('5-0');
  world.news.get('hidden')();
  await world.clock.pass(30_000);
  world.news.get('visible')();
  await world.clock.pass(40_000);
  assert.equal(tidings.status.state, 'open');
  world.news.get('hidden')();
  await world.clock.pass(30_000);
  world.source().send('ping', 'keep-alive');
  await world.clock.pass(30_000);
  assert.equal(tidings.status.reason, 'hidden');
  assert.equal(world.source().readyState, 2);
  world.news.get('visible')();
  assert.match(world.source().url, /last_event_id=5-0/);
});

test('a page put aside by the browser holds no connection and resumes when it returns', () => {
  const { world } = start();
  world.source().greet('5-0');
  world.news.get('leave')();
  assert.equal(world.source().readyState, 2);
  world.news.get('return')();
  assert.match(world.source().url, /last_event_id=5-0/);
});

test('closing ends everything and keeps the resume point', async () => {
  const { world, tidings, states } = start();
  world.source().greet('5-0');
  tidings.close();
  await world.clock.pass(600_000);
  assert.equal(world.source().readyState, 2);
  assert.equal(world.sources.length, 1);
  assert.equal(world.news.size, 0);
  tidings.connect();
  assert.match(world.source().url, /last_event_id=5-0/);
  assert.deepEqual(states, ['connecting', 'open', 'closed', 'connecting']);
});

test('a handler added later hears a type that was not listened for before', () => {
  const { world, tidings } = start();
  world.source().greet();
  const got = [];
  const stop = tidings.on('late', ({ data }) => got.push(data));
  world.source().send('late', 1, '6-0');
  stop();
  world.source().send('late', 2, '7-0');
  assert.deepEqual(got, [1]);
});

test('a handler may close the client from within', async () => {
  const { world, tidings, data } = start();
  tidings.on('note', () => tidings.close());
  world.source().greet();
  world.source().send('note', 1, '6-0');
  world.source().send('note', 2, '7-0');
  assert.deepEqual(data(), [1]);
  assert.equal(tidings.status.state, 'closed');
});

test('a handler that throws keeps nothing from the others', () => {
  const { world, tidings, data } = start();
  const complaint = console.error;
  console.error = () => {};
  try {
    tidings.on('note', () => { throw new Error('mine'); });
    world.source().greet();
    world.source().send('note', 1, '6-0');
  } finally {
    console.error = complaint;
  }
  assert.deepEqual(data(), [1]);
});

test('data that is no JSON is text', () => {
  const { world, data } = start();
  world.source().send('note', 'not {json', '6-0');
  assert.deepEqual(data(), ['not {json']);
});

test('the door may have a query of its own and a session', () => {
  const { world } = start({ url: 'https://far.example/events?tenant=a', session: 'me', subscribe: ['a', 'b c'] });
  assert.equal(world.source().url, 'https://far.example/events?tenant=a&subscribe=a,b+c&session_id=me');
});

test('a door without a history is not asked to resume or polled, and tried for ever', async () => {
  const { world, tidings } = start({ url: '/api/v1/sse/connect', subscribe: undefined, history: false });
  world.source().send('connected', { connectionId: 'mine' }, '5-0');
  assert.equal(tidings.status.connectionId, 'mine');
  for (let failures = 1; failures <= 12; failures += 1) {
    world.source().reject();
    assert.equal(tidings.status.state, 'waiting');
    await world.clock.pass(tidings.status.retryAt - world.clock.now());
    assert.equal(world.source().url, '/api/v1/sse/connect');
  }
  assert.equal(world.sources.length, 13);
  assert.deepEqual(world.requests, []);
});
