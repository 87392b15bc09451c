/**
 * Status dot, toasts and progress bar in Chromium, on a blank page, with their clock in the test's hand.
 */

import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { launch, watchedPage } from './support/browser.js';
import { MisbehavingServer } from './support/misbehaving.js';

let browser;
let server;
let page;
let context;

before(async () => {
  [browser, server] = await Promise.all([launch(), new MisbehavingServer().start()]);
});
after(async () => {
  await browser.close();
  await server.stop();
});

beforeEach(async () => {
  ({ page, context } = await watchedPage(browser));
  await page.goto(server.origin);
  await page.evaluate(async () => {
    window.client = await import('/static/tidings.js');
    // A clock that goes on only by `pass`.
    let now = 0;
    const timers = new Set();
    window.environment = {
      now: () => now,
      after(ms, action) {
        const timer = { at: now + ms, action };
        timers.add(timer);
        return () => timers.delete(timer);
      },
    };
    window.pass = (ms) => {
      now += ms;
      for (const timer of [...timers].filter(({ at }) => at <= now)) {
        timers.delete(timer);
        timer.action();
      }
    };
    // What the components need of a client, without a network.
    const handlers = {};
    window.fake = {
      on: (type, handler) => ((handlers[type] = handler), () => delete handlers[type]),
      onStatus: (handler) => ((handlers.status = handler), () => delete handlers.status),
      tell: (type, data) => handlers[type]?.(type === 'status' ? data : { type, data }),
    };
  });
});
afterEach(() => context.close());

const toasts = () => page.locator('.toast');
const pass = (ms) => page.evaluate((ms) => window.pass(ms), ms);

async function showToasts(...notices) {
  await page.evaluate((notices) => {
    window.toasts ??= new window.client.Toasts(document.body, { environment: window.environment });
    for (const notice of notices) window.toasts.show(notice);
  }, notices);
}

test('a toast goes after five seconds', async () => {
  await showToasts({ title: 'Hello' });
  await pass(4999);
  assert.equal(await toasts().count(), 1);
  await pass(1);
  assert.equal(await toasts().count(), 0);
});

test('a toast that is pointed at stays, and then has the time it had left', async () => {
  await showToasts({ title: 'Hello' });
  await pass(3000);
  await toasts().hover();
  await pass(60_000);
  assert.equal(await toasts().count(), 1);
  await page.mouse.move(0, 0);
  await pass(1999);
  assert.equal(await toasts().count(), 1);
  await pass(1);
  assert.equal(await toasts().count(), 0);
});

test('a toast with the focus stays; Escape sends it away and the focus to its neighbour', async () => {
  await showToasts({ title: 'One' }, { title: 'Two' });
  await page.locator('.toast button').first().focus();
  await pass(6000);
  assert.deepEqual(await toasts().locator('strong').allInnerTexts(), ['One']);
  await showToasts({ title: 'Three' });
  await page.keyboard.press('Escape');
  assert.deepEqual(await toasts().locator('strong').allInnerTexts(), ['Three']);
  assert.equal(await page.evaluate(() => document.activeElement.getAttribute('aria-label')), 'Dismiss: Three');
});

test('what is urgent interrupts a screen reader, what is not waits', async () => {
  for (const [type, role] of [['success', 'status'], ['info', 'status'], ['warning', 'alert'], ['error', 'alert']]) {
    await showToasts({ type, title: type });
    assert.equal(await page.locator(`[role=${role}] .toast[data-type=${type}]`).count(), 1, type);
  }
});

test('there are never more than five, and the oldest go first', async () => {
  await showToasts(...['1', '2', '3', '4', '5', '6', '7'].map((title, n) => ({ title, type: n % 2 ? 'error' : 'info' })));
  const titles = await toasts().locator('strong').allInnerTexts();
  assert.deepEqual(titles.sort(), ['3', '4', '5', '6', '7']);
});

test('toasts say what the built-in events say, and never as markup', async () => {
  await showToasts();
  await page.evaluate(() => window.toasts.follow(window.fake));
  const check = async (type, data, kind, title) => {
    await page.evaluate(([type, data]) => window.fake.tell(type, data), [type, data]);
    const shown = page.locator(`.toast[data-type=${kind}]`).last();
    assert.equal(await shown.locator('strong').innerText(), title);
  };
  await check('summary_complete', { title: '<b>A</b>', source: 'generated' }, 'success', '“<b>A</b>” is ready');
  await check('system', { message: 'Down at five', type: 'warning' }, 'warning', 'Down at five');
  await check('system', { message: 'Broken', type: 'error' }, 'error', 'Broken');
  await check('system', { message: 'Hello', type: 'info' }, 'info', 'Hello');
  await check('system', { type: 'refused', reason: 'max_connections' }, 'warning', 'max_connections');
  assert.equal(await page.locator('.toast b').count(), 0);
});

test('the dot shows every state by colour and in words', async () => {
  await page.evaluate(() => {
    document.body.append(Object.assign(document.createElement('div'), { id: 'dot' }));
    new window.client.StatusDot(document.getElementById('dot'), window.fake);
  });
  const check = async (status, tone, words) => {
    await page.evaluate((status) => window.fake.tell('status', { since: Date.now(), attempt: 0, ...status }), status);
    assert.equal(await page.locator('#dot').getAttribute('data-tone'), tone);
    assert.match(await page.locator('#dot [role=status]').innerText(), words);
  };
  await check({ state: 'connecting' }, 'fair', /^Connecting$/);
  await check({ state: 'open', connectionId: 'abc' }, 'good', /^Connected$/);
  assert.match(await page.locator('#dot').getAttribute('title'), /Connection abc/);
  await check({ state: 'connecting', reason: 'unreachable' }, 'fair', /lost, reconnecting/);
  await check({ state: 'waiting', retryAt: Date.now() + 3900, attempt: 2 }, 'fair', /trying again in 4 s/);
  await check({ state: 'waiting', reason: 'refused', retryAt: Date.now() + 900 }, 'fair', /busy/);
  await check({ state: 'polling' }, 'fair', /by polling/);
  await check({ state: 'offline' }, 'bad', /Offline/);
  await check({ state: 'failed', problem: { detail: 'no such type' } }, 'bad', /no such type/);
  await check({ state: 'closed' }, 'bad', /Disconnected/);
});

test('the bar appears with progress and hides after the end', async () => {
  await page.evaluate(() => {
    document.body.append(Object.assign(document.createElement('div'), { id: 'bar' }));
    new window.client.ProgressBar(document.getElementById('bar'), window.fake, { environment: window.environment });
  });
  const bar = page.locator('#bar');
  const tell = (data) => page.evaluate((data) => window.fake.tell('summary_progress', data), data);
  assert.equal(await bar.isVisible(), false);
  await tell({ status: 'starting', message: 'Starting' });
  assert.equal(await bar.locator('progress').getAttribute('value'), null, 'it does not know how far it is');
  await tell({ status: 'processing', message: 'Processing: A', progress: 3, total: 10, current_video: { title: 'A', playlist: 'P' } });
  assert.equal(await bar.locator('progress').getAttribute('value'), '3');
  assert.equal(await bar.locator('.progress-message').innerText(), 'Processing: A');
  assert.equal(await bar.locator('.progress-subject').innerText(), 'P · A');
  await tell({ status: 'failed', message: 'Failed: A', progress: 4, total: 10 });
  await pass(10_000);
  assert.equal(await bar.isVisible(), true, 'one failure does not end the work');
  await tell({ status: 'completed', message: 'Completed', progress: 10, total: 10 });
  await pass(1999);
  assert.equal(await bar.isVisible(), true);
  await tell({ status: 'starting', message: 'Again' });
  await pass(10_000);
  assert.equal(await bar.isVisible(), true, 'new work keeps it');
  await tell({ status: 'completed', message: 'Completed', progress: 10, total: 10 });
  await pass(2000);
  assert.equal(await bar.isVisible(), false);
});
