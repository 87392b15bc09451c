/**
 * The test page in Chromium, against the real server: connect, receive, broadcast, filter, disconnect.
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
  [browser, server] = await Promise.all([launch(), new TidingsServer().start()]);
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
afterEach(() => context.close());

const { text, stateIs, rows, rowsAre } = testPage(() => page);

async function broadcast(fields) {
  for (const [id, value] of Object.entries({ 'session-filter': '', 'subscription-filter': '', ...fields })) await page.fill(`#${id}`, value);
  await page.click('#send');
}

test('it connects by itself and says who it is', async () => {
  assert.match(await text('#fact-connection'), /^[0-9a-f-]{36}$/);
  assert.match(await text('#fact-session'), /\S{8}/);
  assert.equal(await text('#fact-way'), 'event stream');
  assert.match(await text('#status-dot'), /Connected/);
  assert.equal(await page.locator('#status-dot').getAttribute('data-tone'), 'good');
  await rowsAre(1, 'connected');
  assert.deepEqual(complaints, []);
});

test('a broadcast from the page arrives, with its details, and never as markup', async () => {
  await broadcast({ 'event-type': 'test', 'event-data': '{"message": "<img src=x onerror=alert(1)>", "n": 12345678901234567890}' });
  await rowsAre(1, 'test');
  assert.match(await text('#broadcast-answer'), /^Sent as \d+-\d+ to 1 stream\.$/);
  const row = rows('test');
  assert.match(await row.innerText(), /<img src=x onerror=alert\(1\)>/);
  await row.locator('summary').click();
  assert.match(await row.locator('pre').innerText(), /"message": "<img/);
  assert.match(await row.locator('.facts').innerText(), /event stream/);
  assert.equal(await page.locator('#log img').count(), 0);
  assert.deepEqual(complaints, []);
});

test('an event is explained on demand, in sentences, by keyboard', async () => {
  await broadcast({ 'event-type': 'test', 'event-data': '1' });
  await rowsAre(1, 'test');
  const row = rows('test');
  const asked = page.waitForRequest((request) => request.url().includes('/events/explain?'));
  await row.locator('summary').focus();
  await page.keyboard.press('Enter');
  await row.locator('.explain button').waitFor();
  // Past the data, which can be scrolled.
  await page.keyboard.press('Tab');
  await page.keyboard.press('Tab');
  assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Explain');
  await page.keyboard.press('Enter');
  const question = new URL((await asked).url()).searchParams;
  assert.equal(question.get('event'), await row.getAttribute('data-id'));
  assert.equal(question.get('connection'), await text('#fact-connection'));
  await until(async () => (await row.locator('.explanation li').count()) > 0, 'the steps');
  assert.match(await row.locator('.explanation').innerText(), /^delivered It was handed to the client's connection/);
  assert.match(await row.locator('.explanation').innerText(), /The event was published\.[^]*The connection had taken it\./);
  assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Explain', 'the focus stays');
  // What is no event has no way to be told.
  await rows('connected').locator('summary').click();
  await rows('connected').locator('.facts').waitFor();
  assert.equal(await rows('connected').locator('.explain').count(), 0);
  assert.deepEqual(complaints, []);
});

test('an event is explained for the connection that it came by, even when that has ended', async () => {
  await broadcast({ 'event-type': 'test', 'event-data': '1' });
  await rowsAre(1, 'test');
  await page.click('#connect');
  await rowsAre(2, 'connected');
  const row = rows('test');
  await row.locator('summary').click();
  await row.locator('.explain button').click();
  await until(async () => (await row.locator('.explanation li').count()) > 0, 'the steps');
  assert.match(await row.locator('.explanation').innerText(), /^delivered /);
});

test('long numbers travel as they were typed', async () => {
  const seen = page.evaluate(() => new Promise((resolve) => {
    const source = new EventSource('/events?subscribe=test');
    source.addEventListener('connected', () => (window.listening = true));
    source.addEventListener('test', ({ data }) => {
      source.close();
      resolve(data);
    });
  }));
  await page.waitForFunction(() => window.listening);
  await broadcast({ 'event-type': 'test', 'event-data': '[12345678901234567890, 1.10]' });
  assert.equal(await seen, '[12345678901234567890, 1.10]');
});

test('only the chosen types arrive', async () => {
  await page.uncheck('#types [value=test]');
  await page.click('#connect');
  await rowsAre(2, 'connected');
  await stateIs('open');
  await broadcast({ 'event-type': 'test', 'event-data': '1' });
  await until(async () => /to 0 streams/.test(await text('#broadcast-answer')), 'nobody matched');
  await broadcast({ 'event-type': 'system', 'event-data': '{"message": "hello"}' });
  await rowsAre(1, 'system');
  await rowsAre(0, 'test');
});

test('an event sent to the subscribers of another type comes under its own name', async () => {
  await page.uncheck('#types [value=test]');
  await page.click('#connect');
  await rowsAre(2, 'connected');
  await broadcast({ 'event-type': 'test', 'event-data': '1', 'subscription-filter': 'system' });
  await rowsAre(1, 'test');
});

test('an event for one session reaches only that session', async () => {
  const other = await watchedPage(browser);
  await other.page.goto(`${server.origin}/sse-test`);
  await until(async () => (await other.page.locator('#connection-state').innerText()) === 'open', 'the other is open');
  await page.click('#use-session');
  const session = await page.inputValue('#session-filter');
  await broadcast({ 'event-type': 'test', 'event-data': '"mine"', 'session-filter': session });
  await rowsAre(1, 'test');
  await broadcast({ 'event-type': 'test', 'event-data': '"all"' });
  await rowsAre(2, 'test');
  const others = other.page.locator('#log-rows > li[data-type="test"]');
  await until(async () => (await others.count()) > 0, 'the event for all');
  assert.deepEqual(await others.locator('.gist').allInnerTexts(), ['all']);
  await other.context.close();
});

test('what cannot be sent is said at its field, and nothing is sent', async () => {
  const sent = [];
  page.on('request', (request) => request.url().endsWith('/broadcast') && sent.push(request));
  const check = async (fields, id, expected) => {
    await broadcast({ 'event-type': 'test', 'event-data': '1', ...fields });
    assert.match(await text(`#${id}-error`), expected);
    assert.equal(await page.locator(`#${id}`).getAttribute('aria-invalid'), 'true');
    assert.equal(await page.evaluate(() => document.activeElement.id), id);
  };
  await check({ 'event-data': '{"a":' }, 'event-data', /No valid JSON/);
  await check({ 'event-data': '' }, 'event-data', /Some JSON/);
  await check({ 'event-type': '1st' }, 'event-type', /A letter/);
  await check({ 'session-filter': 'a b' }, 'session-filter', /letters/);
  await check({ 'subscription-filter': 'a b' }, 'subscription-filter', /A letter/);
  assert.equal(sent.length, 0);
});

test('what the server refuses is shown with its code', async () => {
  await broadcast({ 'event-type': 'unheard-of', 'event-data': '1' });
  await until(async () => /\([a-z_]+\)$/.test(await text('#broadcast-answer')), 'a problem with its code');
  assert.equal(await page.locator('#broadcast-answer .notice').getAttribute('data-tone'), 'bad');
});

test('a subscription that the server does not know is shown, not repeated', async () => {
  await page.fill('#more-types', 'unheard-of');
  await page.click('#connect');
  await stateIs('failed');
  assert.match(await text('#connection-problem'), /unheard-of/);
  assert.equal(await page.locator('#status-dot').getAttribute('data-tone'), 'bad');
  await page.fill('#more-types', 'no name!');
  await page.click('#connect');
  assert.match(await text('#more-types-error'), /name!/);
});

test('the list is filtered, paused and cleared', async () => {
  for (const word of ['alpha', 'beta', 'gamma']) await broadcast({ 'event-type': 'test', 'event-data': `"${word}"` });
  await rowsAre(3, 'test');
  assert.deepEqual(await rows('test').locator('.gist').allInnerTexts(), ['gamma', 'beta', 'alpha'], 'newest first');
  await page.fill('#filter-text', 'BETA');
  await rowsAre(1);
  await page.fill('#filter-text', '');
  await page.selectOption('#filter-type', 'connected');
  await rowsAre(1);
  await page.selectOption('#filter-type', '');
  await page.click('#pause');
  await broadcast({ 'event-type': 'test', 'event-data': '"delta"' });
  await until(async () => /paused, 1 waiting/.test(await text('#log-count')), 'one is waiting');
  assert.equal(await rows('test').count(), 3);
  await page.click('#pause');
  await rowsAre(4, 'test');
  await page.click('#clear');
  await rowsAre(0);
  assert.match(await text('#log-empty'), /Nothing yet/);
});

test('the list keeps at most 500 events, the newest', async () => {
  for (let number = 0; number < 520; number += 40) {
    await Promise.all(Array.from({ length: 40 }, (_, index) => server.broadcast({ data: number + index })));
  }
  await until(async () => /of 500 kept/.test(await text('#log-count')), 'the list is full');
  await until(async () => /521 events/.test(await text('#fact-received')), 'all were received');
  assert.equal(await rows().count(), 500);
});

test('disconnecting ends the stream at the server, connecting resumes after the last event', async () => {
  const id = await text('#fact-connection');
  const known = async () => (await server.status()).connections.some((connection) => connection.connection_id === id);
  assert.ok(await known());
  await page.click('#disconnect');
  await stateIs('closed');
  await until(async () => !(await known()), 'the server noticed');
  await server.broadcast({ data: 'missed' });
  await page.click('#connect');
  await rowsAre(1, 'test');
  assert.deepEqual(await rows('test').locator('.gist').allInnerTexts(), ['missed']);
});

test('the server tells what it sees, with our own row marked', async () => {
  await until(async () => /^Version \d/.test(await text('#server-line')), 'the version');
  await until(async () => (await page.locator('tr.mine').count()) === 1, 'our row');
  await server.broadcast({ data: 1 });
  await until(async () => /deliveries a second now/.test(await text('#chart-caption')), 'the chart');
  await page.check('#only-mine');
  await until(async () => (await page.locator('#connections tr').count()) === 1, 'only our own');
});
