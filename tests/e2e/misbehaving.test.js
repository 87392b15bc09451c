/**
 * tidings.js in a real browser against a server that misbehaves. The pauses are short, by the client's
 * own options; which pauses they are by default is tested in tidings.test.js with a clock of its own.
 */

import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { launch, until, watchedPage } from './support/browser.js';
import { MisbehavingServer } from './support/misbehaving.js';

const quick = {
  subscribe: ['note'],
  backoff: { firstMs: 20, capMs: 160, jitter: 0 },
  timings: { openingMs: 1000, reopeningMs: 1500, silenceMs: 5000, stableMs: 30, pollPauseMs: 5, returnMs: 400 },
};

let browser;
let server;
let page;
let context;

before(async () => {
  browser = await launch();
});
after(() => browser.close());

beforeEach(async () => {
  server = await new MisbehavingServer().start();
  ({ page, context } = await watchedPage(browser));
  await page.goto(server.origin);
});
afterEach(async () => {
  await context.close();
  await server.stop();
});

/** Starts the client in the page; what it tells is kept in the page. */
async function connect(options = {}) {
  await page.evaluate(async (options) => {
    const { Tidings } = await import('/static/tidings.js');
    window.told = { notes: [], gaps: [], vias: [], pauses: [], states: [] };
    window.tidings = new Tidings({ ...options, autoConnect: false });
    window.tidings.on('note', ({ data, via }) => {
      window.told.notes.push(data);
      window.told.vias.push(via);
    });
    window.tidings.on('gap', ({ data }) => window.told.gaps.push(data.reason));
    window.tidings.onStatus(({ state, retryAt, reason, attempt }) => {
      window.told.states.push(state);
      if (retryAt) window.told.pauses.push([reason, attempt, retryAt - Date.now()]);
    });
    window.tidings.connect();
  }, { ...quick, ...options });
}

const told = () => page.evaluate(() => window.told);
const status = () => page.evaluate(() => window.tidings.status);
const stateIs = (state) => until(async () => (await status()).state === state, `state ${state}`);
const numbers = (count) => Array.from({ length: count }, (_, index) => index);

/** Waits until all `count` notes have come, then for a moment whether any comes twice. */
async function checkNotes(count, limitMs) {
  await until(async () => (await told()).notes.length >= count, `${count} notes`, limitMs);
  await page.waitForTimeout(100);
  assert.deepEqual((await told()).notes, numbers(count));
}

test('a server that hangs up gets six attempts with growing pauses, then polls', async () => {
  server.manner = server.hangUp;
  await connect();
  await stateIs('polling');
  const pauses = (await told()).pauses.map(([, attempt, ms]) => [attempt, ms]);
  assert.equal(pauses.length, 5);
  // Chromium repeats a request that got no answer at all once more by itself.
  assert.ok([6, 12].includes(server.count('/events')), `${server.count('/events')} requests`);
  for (const [index, expected] of [20, 40, 80, 160, 160].entries()) {
    const [attempt, ms] = pauses[index];
    assert.equal(attempt, index + 1);
    assert.ok(Math.abs(ms - expected) <= 10, `pause ${index}: ${ms} ms instead of ${expected}`);
  }
  await until(() => server.count('/events/poll') > 0, 'a poll');
});

test('a server that answers 500 gets as many, each after asking why', async () => {
  server.manner = server.status(500);
  server.pollManner = server.status(500);
  await connect();
  await until(async () => (await told()).states.includes('polling'), 'polling');
  assert.equal(server.count('/events'), 6);
  assert.ok(server.count('/events/poll') >= 5);
});

test('an answer for good ends it and shows the problem', async () => {
  server.manner = server.status(400);
  server.pollManner = server.status(400, { detail: 'unknown type', code: 'unknown_type' });
  await connect();
  await stateIs('failed');
  assert.equal((await status()).problem.code, 'unknown_type');
  await page.waitForTimeout(300);
  assert.equal(server.requests.length, 2);
});

test('a stream cut again and again, anywhere, loses nothing and repeats nothing', async () => {
  let cut = 150;
  // Each connection lives a little longer than the last, so that the cut falls on every part of an event.
  server.manner = (request, response) => server.cutAfter((cut += 7))(request, response);
  await connect({ timings: { ...quick.timings, stableMs: 0 } });
  await stateIs('open');
  for (const number of numbers(120)) {
    server.publish(number);
    if (number % 10 === 0) await page.waitForTimeout(10);
  }
  await checkNotes(120, 30_000);
  assert.ok(server.count('/events') > 8, `${server.count('/events')} connections`);
});

test('a stream that ends cleanly is reopened by the browser, which says where it was', async () => {
  await connect();
  await stateIs('open');
  server.publish(0);
  await checkNotes(1);
  server.cutAll();
  await until(() => server.count('/events') === 2, 'the browser is back');
  assert.equal(server.requests.at(-1).header, '1700000000000-1');
  server.publish(1);
  await checkNotes(2);
});

test('a stream that always ends at once is given up for polling, which loses nothing', async () => {
  server.manner = server.endEarly;
  await connect({ timings: { ...quick.timings, stableMs: 1000 } });
  await until(async () => (await told()).states.includes('open'), 'a greeting');
  server.publish(0);
  await stateIs('polling');
  server.publish(1);
  await checkNotes(2);
});

test('refusals are waited out and not counted', async () => {
  server.next = Array.from({ length: 8 }, () => server.refuse(30));
  await connect();
  await stateIs('open');
  assert.equal(server.count('/events'), 9);
  const { pauses, states } = await told();
  assert.ok(pauses.every(([reason, attempt]) => reason === 'refused' && attempt === 0));
  assert.ok(!states.includes('polling'));
});

test('a server that stops is left alone as long as it says, then found again', async () => {
  await connect();
  await stateIs('open');
  server.publish(0);
  await checkNotes(1);
  const started = Date.now();
  let back = null;
  server.manner = (request, response) => {
    back ??= Date.now();
    server.serve(request, response);
  };
  // Longer than the client's own first pause.
  server.sendAway(1500);
  await until(async () => (await told()).pauses.length > 0, 'the pause');
  server.publish(1);
  await checkNotes(2);
  assert.ok(back - started >= 1500, `it was back after ${back - started} ms`);
  const { pauses, states } = await told();
  assert.deepEqual(pauses.map(([reason, attempt]) => [reason, attempt]), [['restarting', 0]]);
  assert.ok(!states.includes('polling'));
  assert.equal(server.count('/events/poll'), 0);
});

test('a proxy that holds streams back is noticed, and left as soon as it lets them through', async () => {
  await connect({ timings: { ...quick.timings, openingMs: 150 }, backoff: { firstMs: 10, capMs: 20, jitter: 0 } });
  await stateIs('open');
  server.publish(0);
  await checkNotes(1);
  server.manner = server.holdBack;
  await page.evaluate(() => window.tidings.reconnect());
  await stateIs('polling');
  server.publish(1);
  await checkNotes(2);
  assert.deepEqual((await told()).vias, ['stream', 'poll']);
  server.manner = (request, response) => server.serve(request, response);
  await stateIs('open');
  const polls = server.count('/events/poll');
  server.publish(2);
  await checkNotes(3);
  assert.equal((await told()).vias.at(-1), 'stream');
  assert.equal(server.count('/events/poll'), polls, 'it went on polling beside the stream');
});

test('a server that is gone for long is found again, with everything that happened', async () => {
  await connect();
  await stateIs('open');
  server.publish(0);
  await checkNotes(1);
  await server.vanish();
  await until(async () => (await told()).states.includes('polling'), 'polling');
  server.publish(1);
  await page.waitForTimeout(1000);
  await server.comeBack();
  server.publish(2);
  await checkNotes(3);
  await stateIs('open');
});

test('a silent stream is dropped and resumed', async () => {
  server.next = [(request, response) => server.greet(request, response)];
  await connect({ timings: { ...quick.timings, silenceMs: 200 } });
  await stateIs('open');
  server.publish(0);
  await checkNotes(1);
});

test('a gap is told once and everything after it comes', async () => {
  await connect();
  await stateIs('open');
  server.publish(0);
  await checkNotes(1);
  server.next = [(request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write('id: 1700000000000-1\nevent: connected\ndata: {}\n\n');
    response.write('event: gap\ndata: {"from":"1700000000000-0","to":"1700000000000-1","reason":"restart"}\n\n');
    response.end();
  }];
  await page.evaluate(() => window.tidings.reconnect());
  await until(async () => (await told()).gaps.length === 1, 'a gap');
  await stateIs('open');
  server.publish(1);
  await checkNotes(2);
  assert.deepEqual((await told()).gaps, ['restart']);
});
