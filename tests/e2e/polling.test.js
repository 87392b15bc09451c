/**
 * The client's long polling and its way back to the stream, with time and network in the test's hand.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { failUntilPolling, pollForAMinute, start } from './support/client.js';

test('it waits 1, 2, 4, 8 and 16 seconds, then it polls', async () => {
  const { world, tidings } = start();
  for (const seconds of [1, 2, 4, 8, 16]) {
    world.source().interrupt();
    assert.equal(tidings.status.state, 'waiting');
    assert.equal(tidings.status.retryAt - world.clock.now(), seconds * 1000);
    const attempts = world.sources.length;
    await world.clock.pass(seconds * 1000 - 1);
    assert.equal(world.sources.length, attempts, `too early after ${seconds} s`);
    await world.clock.pass(1);
    assert.equal(world.sources.length, attempts + 1, `no attempt after ${seconds} s`);
  }
  world.source().interrupt();
  assert.equal(tidings.status.state, 'polling');
  assert.equal(world.sources.length, 6);
});

test('polling hands events over and asks for what comes next', async () => {
  const client = start();
  const { world, tidings, data } = client;
  world.source().greet('5-0');
  await failUntilPolling(client);
  assert.equal(world.request().url, '/events/poll?subscribe=note,system&since=5-0');
  world.request().answer(200, { events: [{ id: '6-0', event: 'note', data: 'a' }], last_event_id: '7-0', session_id: 's' });
  await world.clock.pass(100);
  assert.deepEqual(data(), ['a']);
  assert.match(world.request().url, /since=7-0/);
});

test('a server that answers at once with nothing is asked at its own pace', async () => {
  const client = start({ lastEventId: '5-0' });
  const { world } = client;
  await failUntilPolling(client);
  world.request().answer(200, { events: [], last_event_id: '5-0', retry_ms: 3000 });
  const asked = world.requests.length;
  await world.clock.pass(2999);
  assert.equal(world.requests.length, asked);
  await world.clock.pass(1);
  assert.equal(world.requests.length, asked + 1);
  await world.clock.pass(25_000);
  world.request().answer(200, { events: [], last_event_id: '5-0', retry_ms: 3000 });
  await world.clock.pass(100);
  assert.equal(world.requests.length, asked + 2, 'it waited as it should');
});

test('a poll that a stop ended late is not asked again before the server says, and no stream is tried', async () => {
  const client = start({ lastEventId: '5-0' });
  const { world, tidings } = client;
  await failUntilPolling(client);
  // Close to the moment when a stream is tried again.
  for (const seconds of [20, 20, 18]) {
    await world.clock.pass(seconds * 1000);
    if (seconds === 20) world.request().answer(200, { events: [], last_event_id: '5-0' });
  }
  const [asked, opened] = [world.requests.length, world.sources.length];
  world.request().answer(200, { events: [], last_event_id: '5-0', retry_ms: 7000, reconnect: { reason: 'shutdown' } });
  await world.clock.pass(0);
  assert.deepEqual([tidings.status.state, tidings.status.reason], ['waiting', 'restarting']);
  world.news.get('visible')();
  await world.clock.pass(6999);
  assert.deepEqual([world.requests.length, world.sources.length], [asked, opened]);
  await world.clock.pass(1);
  assert.equal(world.requests.length, asked + 1);
  world.request().answer(200, { events: [], last_event_id: '5-0' });
  await world.clock.pass(0);
  assert.equal(tidings.status.state, 'polling');
});

test('a handler may close the client in the middle of an answer', async () => {
  const client = start({ lastEventId: '5-0' });
  const { world, tidings, data } = client;
  tidings.on('note', () => tidings.close());
  await failUntilPolling(client);
  world.request().answer(200, { events: [{ id: '6-0', event: 'note', data: 'a' }, { id: '7-0', event: 'note', data: 'b' }], last_event_id: '7-0' });
  const asked = world.requests.length;
  await world.clock.pass(60_000);
  assert.deepEqual(data(), ['a']);
  assert.equal(tidings.status.state, 'closed');
  assert.equal(tidings.lastEventId, '6-0', 'the rest can be had later');
  assert.equal(world.requests.length, asked);
});

test('the first question only asks where we are, and the next follows', async () => {
  const client = start();
  const { world } = client;
  await failUntilPolling(client);
  world.request().answer(200, { events: [], last_event_id: '5-0', retry_ms: 3000 });
  await world.clock.pass(100);
  assert.match(world.request().url, /since=5-0/);
});

test('polling that fails backs off to the cap and recovers', async () => {
  const client = start();
  const { world, tidings } = client;
  await failUntilPolling(client);
  for (const seconds of [1, 2, 4, 8, 16, 30, 30]) {
    world.request().fail(new Error('no network'));
    await world.clock.pass(0);
    assert.equal(tidings.status.retryAt - world.clock.now(), seconds * 1000);
    world.sources.at(-1).interrupt();
    await world.clock.pass(seconds * 1000);
  }
  world.request().answer(200, { events: [], last_event_id: '1-0' });
  await world.clock.pass(0);
  assert.equal(tidings.status.state, 'polling');
});

test("a proxy's friendly page is not an answer", async () => {
  const client = start();
  const { world, tidings } = client;
  await failUntilPolling(client);
  world.request().answer(200, { welcome: 'to the captive portal' });
  await world.clock.pass(0);
  assert.equal(tidings.status.state, 'waiting');
});

test('after a minute of polling it returns to the stream, without loss or repeat', async () => {
  const client = start();
  const { world, tidings, data } = client;
  await failUntilPolling(client);
  world.request().answer(200, { events: [{ id: '6-0', event: 'note', data: 'a' }], last_event_id: '6-0' });
  const attempts = world.sources.length;
  await pollForAMinute(world);
  assert.equal(world.sources.length, attempts + 1);
  assert.match(world.source().url, /last_event_id=6-0/);
  assert.equal(tidings.status.state, 'polling');
  world.request().answer(200, { events: [{ id: '7-0', event: 'note', data: 'b' }], last_event_id: '7-0' });
  await world.clock.pass(0);
  world.source().greet('6-0');
  world.source().send('note', 'b', '7-0');
  world.source().send('note', 'c', '8-0');
  const asked = world.requests.length;
  await world.clock.pass(30_000);
  assert.equal(tidings.status.state, 'open');
  assert.equal(world.requests.length, asked, 'polling goes on beside the stream');
  assert.deepEqual(data(), ['a', 'b', 'c']);
});

test('a failed return leaves polling alone and is tried again a minute later', async () => {
  const client = start();
  const { world, tidings } = client;
  await failUntilPolling(client);
  world.request().answer(200, { events: [], last_event_id: '6-0' });
  const attempts = world.sources.length;
  for (const turn of [1, 2, 3]) {
    await pollForAMinute(world);
    assert.equal(world.sources.length, attempts + turn);
    world.source().interrupt();
    assert.equal(tidings.status.state, 'polling');
  }
});
