/**
 * More summaries than a page shows: going on through them, searching them, and others that come meanwhile.
 */

import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { launch, until, watchedPage } from './support/browser.js';
import { TidingsServer } from './support/tidings-server.js';

/** Summaries on a page. */
const PAGE = 20;
/** More than three pages, and more than what a search gives at once, which is 50. */
const ALL = 65;

let browser;
let server;
let cookies;
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
  await page.goto(`${server.origin}/`);
  await until(async () => /Connected/.test(await page.locator('#status-dot').innerText()), 'connected');
});
afterEach(() => context.close());

/** Summaries in this session, as its other programs would make them. */
async function send(titles) {
  const before = (await known()).length;
  const transcripts = titles.map((title) => ({ title, text: `The harbour of ${title} has a lamp. A ship looks for it. The rest is silence.` }));
  for (let at = 0; at < transcripts.length; at += 50) {
    const answer = await context.request.post(`${server.origin}/api/v1/summaries`, { data: { transcripts: transcripts.slice(at, at + 50) } });
    assert.equal(answer.status(), 202, await answer.text());
  }
  await until(async () => (await known()).length === before + titles.length, `${titles.length} summaries more`, 30_000);
}

/** The ids of all there are in the server's order. */
async function known(q = '') {
  const ids = [];
  let next = '';
  do {
    const after = next ? `&after=${next}` : '';
    const answer = await (await context.request.get(`${server.origin}/api/v1/summaries?limit=50&q=${q}${after}`)).json();
    ids.push(...answer.summaries.map(({ id }) => id));
    next = answer.next;
  } while (next);
  return ids;
}

/** Many summaries; made once, because that takes a while. */
async function many() {
  if (cookies) {
    await context.clearCookies();
    await context.addCookies(cookies);
  } else {
    await send(Array.from({ length: ALL }, (_, n) => `Number ${n}`));
    cookies = await context.cookies();
  }
  await page.reload();
  await shownAre(PAGE);
}

const shown = () => page.locator('#summaries > li').evaluateAll((items) => items.map(({ dataset }) => dataset.id));
const shownAre = (count) => until(async () => (await shown()).length === count, `${count} summaries are shown`);
const focused = () => page.evaluate(() => document.activeElement.closest('#summaries > li')?.dataset.id ?? document.activeElement.id);

test('one goes on to the end; each is there once and in its place', async () => {
  await many();
  const all = await known();
  assert.equal(all.length, ALL);
  for (const [before, then] of [[20, 40], [40, 60], [60, ALL]]) {
    await page.click('#more');
    await shownAre(then);
    assert.deepEqual(await shown(), all.slice(0, then));
    await until(async () => (await focused()) === all[before], `the focus is on the first of what came: number ${before}`);
  }
  assert.equal(await page.locator('#more').isVisible(), false);
  assert.deepEqual(complaints, []);
});

test('the keyboard is enough', async () => {
  await many();
  const all = await known();
  await page.locator('#summaries > li').last().locator('summary').focus();
  await page.keyboard.press('Tab');
  assert.equal(await focused(), 'more');
  await page.keyboard.press('Enter');
  await until(async () => (await focused()) === all[PAGE], 'the focus is on the first of what came');
  await page.keyboard.press('Enter');
  await until(async () => (await page.locator('#summaries > li').nth(PAGE).locator('.said').count()) > 0, 'it opens');
});

test('all that a search finds can be reached', async () => {
  await many();
  await page.fill('#search', 'harbour');
  await until(async () => (await page.locator('.snippet:visible').count()) === PAGE, 'a page of what is found');
  const all = await known('harbour');
  for (const then of [40, 60, ALL]) {
    await page.click('#more');
    await shownAre(then);
    assert.deepEqual(await shown(), all.slice(0, then));
  }
  assert.equal(await page.locator('#more').isVisible(), false);
  await page.fill('#search', 'silence');
  await until(async () => /silence/.test(await page.locator('.snippet mark').first().innerText()), 'another search');
  await shownAre(PAGE);
});

test('without a script one goes on as well', async () => {
  await many();
  const all = await known('harbour');
  const { page: plain, context: scriptless } = await watchedPage(browser, { javaScriptEnabled: false });
  await scriptless.addCookies(cookies);
  const ids = [];
  await plain.goto(`${server.origin}/?q=harbour`);
  for (;;) {
    const links = await plain.locator('#summaries h3 a').evaluateAll((links) => links.map(({ href }) => href.split('/').at(-1)));
    ids.push(...links);
    if (!(await plain.locator('#more').isVisible()) || ids.length >= all.length) break;
    await plain.click('#more');
  }
  assert.deepEqual(ids, all);
  await scriptless.close();
});

test('what comes from elsewhere is on top, and nothing is there twice or left out', async () => {
  await send(Array.from({ length: 45 }, (_, n) => `Own ${n}`));
  await page.reload();
  await shownAre(PAGE);
  await page.click('#more');
  await shownAre(2 * PAGE);
  await page.locator('#more').focus();
  const last = page.locator(`[data-id="${(await shown()).at(-1)}"]`);
  const place = () => last.evaluate((item) => item.getBoundingClientRect().top);
  const before = await place();
  await send(['From another tab']);
  await until(async () => /From another tab/.test(await page.locator('#summaries > li').first().innerText()), 'it is on top');
  assert.deepEqual(await shown(), (await known()).slice(0, 2 * PAGE + 1), 'and takes nobody’s place');
  assert.equal(await focused(), 'more');
  assert.ok(Math.abs((await place()) - before) < 1, 'nothing moves under the reader’s eyes');
  await page.click('#more');
  await shownAre(46);
  assert.deepEqual(await shown(), await known());
});

test('what comes while more is asked for does not send the reader back', async () => {
  await send(Array.from({ length: 45 }, (_, n) => `Held ${n}`));
  await page.reload();
  await shownAre(PAGE);
  const [behind] = (await known()).slice(PAGE);
  const list = /\/api\/v1\/summaries\?/;
  let letGo;
  const held = new Promise((open) => (letGo = open));
  await page.route(list, async (route) => {
    await held;
    await route.continue();
  });
  await page.click('#more');
  await send(['In between']);
  letGo();
  await until(async () => /In between/.test(await page.locator('#summaries > li').first().innerText()), 'it is on top');
  await until(async () => (await focused()) === behind, 'the focus is on the first that was not there before');
  assert.deepEqual(await shown(), (await known()).slice(0, 2 * PAGE));
  await page.unroute(list);
});

test('what comes pushes nobody away from the last one', async () => {
  await send(Array.from({ length: PAGE }, (_, n) => `Kept ${n}`));
  await page.reload();
  await shownAre(PAGE);
  const last = page.locator('#summaries > li').last();
  const id = await last.getAttribute('data-id');
  await last.locator('summary').focus();
  await page.keyboard.press('Enter');
  await send(['A later one']);
  await until(async () => /A later one/.test(await page.locator('#summaries > li').first().innerText()), 'it is on top');
  assert.equal(await focused(), id);
  assert.equal(await page.locator(`[data-id="${id}"] details`).evaluate((details) => details.open), true);
});

test('a page that cannot be had can be asked for again', async () => {
  await many();
  const list = /\/api\/v1\/summaries\?/;
  await page.route(list, (route) => route.fulfill({ status: 503, contentType: 'application/problem+json', body: '{"status":503,"title":"Busy","detail":"try again"}' }));
  await page.click('#more');
  await until(async () => /Busy/.test(await page.locator('#summaries-problem').innerText()), 'the problem');
  assert.equal((await shown()).length, PAGE);
  assert.equal(await focused(), 'more');
  await page.unroute(list);
  await page.click('#summaries-retry');
  await shownAre(2 * PAGE);
});
