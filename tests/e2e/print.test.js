/**
 * The summarizer's pages on paper: what was said and where it is from, and nothing that only a screen can use.
 */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { launch, until, watchedPage } from './support/browser.js';
import { TidingsServer } from './support/tidings-server.js';

let browser;
let server;

before(async () => {
  [browser, server] = await Promise.all([launch(), new TidingsServer().start()]);
});
after(async () => {
  await browser.close();
  await server.stop();
});

/** The page with a summary that is open, a batch that is not over and a toast; by somebody who likes the dark. */
async function filledPage() {
  const { page, context } = await watchedPage(browser, { colorScheme: 'dark' });
  await page.goto(`${server.origin}/`);
  await until(async () => /Connected/.test(await page.locator('#status-dot').innerText()), 'connected');
  await page.click('#sample');
  await page.click('#submit');
  await until(async () => (await page.locator('.said').count()) > 0, 'a summary, opened by itself');
  await until(async () => (await page.locator('.toast').count()) > 0, 'a toast');
  await fetch(`${server.origin}/api/v1/queues/summarize/pause`, { method: 'POST' });
  await page.fill('#text', 'This one waits. It has to wait. It is patient.');
  await page.click('#submit');
  await until(async () => (await page.locator('.batch').count()) > 0, 'a batch');
  await fetch(`${server.origin}/api/v1/queues/summarize/resume`, { method: 'POST' });
  return { page, context };
}

const isSeen = (page, selector) => page.locator(selector).first().isVisible();

async function check(page, { shown, hidden }) {
  for (const selector of hidden) assert.ok((await page.locator(selector).count()) > 0, `${selector} is there`);
  await page.emulateMedia({ media: 'print' });
  for (const selector of shown) assert.equal(await isSeen(page, selector), true, `${selector} is printed`);
  for (const selector of hidden) assert.equal(await isSeen(page, selector), false, `${selector} is not printed`);
  assert.equal(await page.locator('button:visible, input:visible, select:visible, textarea:visible').count(), 0);
  const ink = await page.locator('.said').first().evaluate((said) => getComputedStyle(said).color);
  assert.ok(ink.match(/\d+/g).slice(0, 3).every((part) => part < 80), `dark on white paper: ${ink}`);
  await page.emulateMedia({ media: null });
}

test('the list is printed with what is open, and without what is for the screen', async () => {
  const { page, context } = await filledPage();
  await check(page, {
    shown: ['#summaries-title', '#summaries h3', '#summaries .meta', '.sentences .time', '.said'],
    hidden: ['.site-header', '#status-dot', '.hero', '#composer', '#work', '#search-field', '.toasts', '.actions', '.more', '.site-footer'],
  });
  await context.close();
});

test('a summary by itself is printed with its title, times and transcript', async () => {
  const { page, context } = await filledPage();
  await page.locator('a', { hasText: 'Read with transcript' }).first().click();
  await until(async () => (await page.locator('.transcript p').count()) > 0, 'the transcript');
  await check(page, {
    shown: ['h1', '.meta', '.sentences .time', '.said', '.transcript p'],
    hidden: ['.site-header', '.back', '.actions', '.site-footer'],
  });
  await page.emulateMedia({ media: 'print' });
  const begins = await page.locator('.transcript').evaluate((transcript) => getComputedStyle(transcript).breakBefore);
  assert.equal(begins, 'page', 'the summary of a long talk can be had without all of what was said');
  await context.close();
});
