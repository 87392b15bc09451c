/**
 * The panel of faults that the server makes: each does to the page's stream what it says, and the page
 * bears it. Without the setting there is no panel.
 */

import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { launch, testPage, until, watchedPage } from './support/browser.js';
import { TidingsServer } from './support/tidings-server.js';

let browser;
let server;
let page;
let context;
let complaints;

before(async () => {
  [browser, server] = await Promise.all([launch(), new TidingsServer().start('--faults', 'on', '--retry-ms', '100')]);
});
after(async () => {
  await browser.close();
  await server.stop();
});

beforeEach(async () => {
  ({ page, context, complaints } = await watchedPage(browser));
  await page.goto(`${server.origin}/sse-test`);
  await stateIs('open');
});
afterEach(async () => {
  await fetch(`${server.origin}/events/faults`, { method: 'DELETE' });
  await context.close();
});

const { text, stateIs, rows, rowsAre } = testPage(() => page);
const press = (fault) => page.click(`form[data-fault="${fault}"] button`);
const inForce = () => page.locator('#faults-in-force li').allInnerTexts();
const answered = (pattern) => until(async () => pattern.test(await text('#fault-answer')), `the answer ${pattern}`);

test('a dropped stream comes back and misses nothing', async () => {
  for (const [index, how] of ['cut', 'reset', 'clean'].entries()) {
    await page.selectOption('#drop-how', how);
    await press('drop');
    await answered(/^Streams dropped: 1\.$/);
    const { event_id: id } = await server.broadcast({ data: how });
    await rowsAre(index + 2, 'connected');
    await until(async () => (await page.locator(`#log-rows > li[data-id="${id}"]`).count()) === 1, `the event after ${how}`);
    await stateIs('open');
    await page.locator('#fault-answer').evaluate((answer) => answer.replaceChildren());
  }
  assert.equal(await rows('test').count(), 3);
});

test('a delayed stream gets its event when the fault is lifted', async () => {
  await page.fill('#delay-ms', '60000');
  await press('delay');
  await until(async () => (await inForce()).length === 1, 'the fault in force');
  assert.match((await inForce())[0], /^delay · ms 60000 · this stream · until \d\d:\d\d:\d\d$/);
  await server.broadcast({ data: 1 });
  await until(async () => (await server.status()).connections.some(({ queue_size: size }) => size === 1), 'an event that waits');
  assert.equal(await rows('test').count(), 0);
  await page.click('#lift-faults');
  await rowsAre(1, 'test');
  assert.equal(await text('#no-faults'), 'None.');
});

test('a gap at once is shown as one', async () => {
  await press('gap');
  await rowsAre(1, 'gap');
  await until(async () => (await page.locator('.toast').count()) === 1, 'a toast');
  assert.match(await page.locator('.toast').innerText(), /Some events were missed/);
});

test('a refused stream comes back by itself', async () => {
  await page.fill('#refuse-times', '1');
  await press('refuse');
  await answered(/^In force\.$/);
  await press('drop');
  // It is told when to come back: some time within ten seconds, and then it has to connect.
  await until(async () => (await rows('connected').count()) === 2, 'connected again', 40_000);
  await stateIs('open');
});

test('throttled, doubled and silent: the page has every event once', async () => {
  for (const fault of ['throttle', 'duplicate', 'no_heartbeats']) {
    await press(fault);
    await until(async () => (await inForce()).some((line) => line.startsWith(fault.replace('_', ' '))), fault);
  }
  const { event_id: id } = await server.broadcast({ data: 1 });
  await until(async () => (await page.locator(`#log-rows > li[data-id="${id}"]`).count()) > 0, 'the event');
  assert.deepEqual(complaints, []);
});

test('a wrong number is told with what would be right', async () => {
  await page.fill('#fault-seconds', '99999');
  await press('no_heartbeats');
  await answered(/A fault lasts 1 to 3600 seconds/);
  assert.deepEqual(await inForce(), []);
});

test('the panel works by keyboard alone', async () => {
  await page.focus('#fault-scope');
  await page.keyboard.press('ArrowDown');
  for (const id of ['fault-seconds', 'drop-how']) {
    await page.keyboard.press('Tab');
    assert.equal(await page.evaluate(() => document.activeElement.id), id);
  }
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  await answered(/^Streams dropped: 1\.$/);
  await page.focus('#delay-ms');
  await page.keyboard.press('Enter');
  await until(async () => (await inForce()).length === 1, 'the delay, by Enter in its field');
  assert.match((await inForce())[0], /this session/);
});

test('without the setting there is no panel', async () => {
  const plain = await new TidingsServer().start();
  await page.goto(`${plain.origin}/sse-test`);
  await stateIs('open');
  assert.equal(await page.locator('#server-faults').count(), 0);
  assert.deepEqual(complaints, []);
  await plain.stop();
});
