/**
 * The test page when things break: connections cut between browser and server, servers that are gone or
 * come back without their memory, and the faults that the page itself can play.
 */

import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { launch, until, watchedPage } from './support/browser.js';
import { Proxy } from './support/proxy.js';
import { TidingsServer } from './support/tidings-server.js';

let browser;
let server;
let proxy;
let page;
let context;

before(async () => {
  browser = await launch();
});
after(() => browser.close());

beforeEach(async () => {
  server = await new TidingsServer().start();
  proxy = await new Proxy(server.port).start();
  ({ page, context } = await watchedPage(browser));
  await page.goto(`${proxy.origin}/sse-test`);
  await stateIs('open');
});
afterEach(async () => {
  await context.close();
  proxy.stop();
  await server.stop();
});

const text = (selector) => page.locator(selector).innerText();
const stateIs = (state, limitMs) => until(async () => (await text('#connection-state')) === state, `state ${state}`, limitMs);
const rows = (type) => page.locator(`#log-rows > li[data-type="${type}"]`);

/** The data of the test events in the list, oldest first. */
const received = async () => (await rows('test').locator('.gist').allInnerTexts()).map(Number).reverse();
const numbers = (count) => Array.from({ length: count }, (_, index) => index);

/** Waits until `count` numbered events have come; each must have come once, in order. */
async function checkReceived(count, limitMs) {
  await until(async () => (await rows('test').count()) >= count, `${count} events`, limitMs);
  await page.waitForTimeout(200);
  assert.deepEqual(await received(), numbers(count));
}

/** The stream has lived long enough for the browser's own reconnection to be trusted with it. */
const settled = () => page.waitForTimeout(5200);

test('a connection cut again and again loses nothing and repeats nothing', async () => {
  for (const number of numbers(200)) {
    await server.broadcast({ data: number });
    if (number % 60 === 30) proxy.cut();
    if (number % 10 === 0) await page.waitForTimeout(20);
  }
  await checkReceived(200, 30_000);
  assert.equal(await rows('gap').count(), 0);
});

test('a settled connection that is cut comes back by the browser itself, without loss', async () => {
  await server.broadcast({ data: 0 });
  await settled();
  proxy.cut();
  await stateIs('connecting');
  await server.broadcast({ data: 1 });
  await stateIs('open', 20_000);
  await checkReceived(2);
});

test('a server killed and started anew leaves a visible gap, and what comes then arrives', async () => {
  await server.broadcast({ data: 0 });
  await checkReceived(1);
  await server.stop('SIGKILL');
  await until(async () => (await text('#connection-state')) !== 'open', 'the loss is seen');
  server = await new TidingsServer().start();
  proxy.target = server.port;
  await stateIs('open', 30_000);
  await until(async () => (await rows('gap').count()) === 1, 'the gap');
  assert.match(await rows('gap').innerText(), /Events are missing: the server was restarted/);
  await until(async () => /Some events were missed/.test(await page.locator('.toasts').innerText()), 'a toast');
  await server.broadcast({ data: 1 });
  await checkReceived(2);
  await page.click('#fault-drop');
  await until(async () => (await rows('connected').count()) >= 3, 'connected again');
  await page.waitForTimeout(300);
  assert.equal(await rows('gap').count(), 1, 'the gap is told once');
});

test('a server that stops says when to come back, and the page finds the next one then', async () => {
  await server.broadcast({ data: 0 });
  await checkReceived(1);
  await server.stop();
  await stateIs('waiting');
  assert.match(await text('#status-dot'), /back shortly, in \d+ s/);
  server = await new TidingsServer().start();
  proxy.target = server.port;
  // The pause that it was told, at most 12 s.
  await stateIs('open', 30_000);
  await server.broadcast({ data: 1 });
  await checkReceived(2);
});

test('while the server is gone the page says so, and finds it again', async () => {
  proxy.sever();
  await stateIs('waiting', 20_000);
  assert.match(await text('#status-dot'), /trying again in \d+ s/);
  assert.equal(await page.locator('#status-dot').getAttribute('data-tone'), 'fair');
  await until(async () => /cannot be reached/.test(await text('#server-line')), 'the status too');
  await page.click('#send');
  await until(async () => /cannot be reached/.test(await text('#broadcast-answer')), 'the broadcast too');
  await server.broadcast({ data: 0 });
  proxy.mend();
  await stateIs('open', 30_000);
  await checkReceived(1);
});

test('dropping the connection resumes it under another name', async () => {
  const before = await text('#fact-connection');
  await server.broadcast({ data: 0 });
  await checkReceived(1);
  await page.click('#fault-drop');
  await until(async () => !['–', before].includes(await text('#fact-connection')), 'another connection');
  await server.broadcast({ data: 1 });
  await checkReceived(2);
});

test('offline, events wait at the server; online again, they come', async () => {
  await page.click('#fault-offline');
  await stateIs('offline');
  assert.equal(await page.locator('#fault-offline').getAttribute('aria-pressed'), 'true');
  assert.equal(await page.locator('#status-dot').getAttribute('data-tone'), 'bad');
  await server.broadcast({ data: 0 });
  await page.waitForTimeout(300);
  assert.deepEqual(await received(), []);
  await page.click('#fault-offline');
  await stateIs('open');
  await checkReceived(1);
});

test('polling brings events too', async () => {
  await page.click('#fault-poll');
  await stateIs('polling');
  assert.equal(await text('#fact-way'), 'long polling');
  for (const number of numbers(3)) await server.broadcast({ data: number });
  await checkReceived(3);
  await rows('test').first().locator('summary').click();
  assert.match(await rows('test').first().locator('.facts').innerText(), /long polling/);
});

test('a slow reader is a stream of its own and disturbs nobody', async () => {
  await page.selectOption('#slow-pace', '0');
  await page.click('#fault-slow');
  await until(async () => (await server.status()).total_connections === 2, 'a second stream');
  for (const number of numbers(20)) await server.broadcast({ data: number });
  await checkReceived(20);
  assert.match(await text('#slow-report'), /0 B taken/);
  await page.click('#fault-slow');
  await until(async () => (await server.status()).total_connections === 1, 'it is gone');
  assert.match(await text('#slow-report'), /ended by you/);
});
