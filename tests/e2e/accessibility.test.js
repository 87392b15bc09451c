/**
 * All pages for everybody: axe finds nothing in light, dark and narrow; the keyboard is enough; a small
 * screen needs no sideways scrolling; the policy of the page holds.
 */

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';
import { launch, until, watchedPage } from './support/browser.js';
import { GatedQueue } from './support/gated-queue.js';
import { TidingsServer } from './support/tidings-server.js';

let browser;
let queue;
let server;
let axe;

before(async () => {
  [browser, queue] = await Promise.all([launch(), new GatedQueue().start()]);
  server = await new TidingsServer().start('--faults', 'on', ...queue.flags);
  await makeJobs();
  axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
});
after(async () => {
  await browser.close();
  await server.stop();
  await queue.stop();
});

/** A job in every state, and a batch of some of them. */
async function makeJobs() {
  const post = async (path, body = {}) => {
    const options = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
    const response = await fetch(`${server.origin}${path}`, options);
    assert.ok(response.ok, `${path}: ${response.status}`);
  };
  const add = (jobId, data, more) => post('/api/v1/queue/add', { queueName: 'gated', jobName: 'scan', jobId, data, ...more });
  await add('standing', { gate: queue.gate('never'), what: 'a page that is longer than a telephone is wide, and then some' });
  await add('finished', { what: 'it' });
  await add('broken', { fails: 'there is no paper left in the tray, nor in the cupboard' });
  await add('later', {}, { delay: 3_600_000 });
  await add(`a-name-${'as-long-as-they-may-be'.repeat(4)}`, { what: 'it' });
  await post('/api/v1/jobs', { jobId: 'loose' });
  await post('/api/v1/jobs/loose/cancel');
  await post('/api/v1/queue/add', { queueName: `queue-${'of-a-very-long-name'.repeat(5)}`, jobName: 'wait', jobId: 'unserved' });
  await post('/api/v1/batches', { title: 'Some of them', jobs: ['standing', 'finished', 'broken', 'loose'].map((jobId) => ({ jobId })) });
}

const connected = (page) => until(async () => /Connected/.test(await page.locator('#status-dot').innerText()), 'connected');

/** Brings each page into the state in which it shows the most. */
const filled = {
  '/': async (page) => {
    await page.click('#sample');
    await page.click('#submit');
    await until(async () => (await page.locator('.sentences li').count()) > 0, 'a summary');
    await page.click('#submit');
  },
  '/sse-test': async (page) => {
    await page.fill('#event-type', 'system');
    await page.fill('#event-data', '{"message": "Careful", "type": "warning"}');
    await page.click('#send');
    const row = page.locator('#log-rows > li[data-type="system"]');
    await row.locator('summary').click();
    await row.locator('.explain button').click();
    await until(async () => (await row.locator('.explanation li').count()) > 0, 'the explanation');
    await until(async () => (await page.locator('#connections tr.mine').count()) > 0, 'the table');
    await page.fill('#event-data', '{');
    await page.click('#send');
    await page.click('form[data-fault="no_heartbeats"] button');
    await until(async () => (await page.locator('#faults-in-force li').count()) > 0, 'a fault in force');
  },
  '/#reading': async (page) => {
    await page.click('#sample');
    await page.click('#submit');
    const link = page.locator('a', { hasText: 'Read with transcript' });
    await until(async () => (await link.count()) > 0, 'a summary, opened by itself');
    await link.first().click();
    await until(async () => (await page.locator('.transcript p').count()) > 0, 'the transcript');
  },
  '/jobs': async (page) => {
    for (const word of ['waiting', 'active', 'completed', 'failed', 'cancelled', 'delayed']) {
      await until(async () => (await page.locator(`#jobs .badge:text-is("${word}")`).count()) > 0, `a job that is ${word}`);
    }
    await until(async () => (await page.locator('#batches a', { hasText: 'Some of them' }).count()) === 1, 'a batch');
    await page.fill('#job-data', '{');
    await page.click('#add-job');
  },
  '/jobs#job=broken': (page) => until(async () => /exited with|no paper left/.test(await page.locator('#details .timeline').innerText()), 'its timeline'),
  '/jobs#batch': async (page) => {
    await page.locator('#batches a', { hasText: 'Some of them' }).click();
    await until(async () => (await page.locator('#details .job').count()) === 4, 'its jobs');
  },
};

const looks = {
  light: { colorScheme: 'light' },
  dark: { colorScheme: 'dark' },
  narrow: { colorScheme: 'light', viewport: { width: 360, height: 740 } },
  'narrow and dark': { colorScheme: 'dark', viewport: { width: 360, height: 740 } },
};

for (const path of Object.keys(filled)) {
  for (const [look, options] of Object.entries(looks)) {
    test(`${path} in ${look}: axe finds nothing, nothing sticks out, nothing complains`, async () => {
      // Playwright puts axe in by a script of its own, past the page's policy; the page keeps to it.
      const { page, context, complaints } = await watchedPage(browser, { ...options, reducedMotion: 'reduce' });
      await page.goto(`${server.origin}${path}`);
      await connected(page);
      await filled[path](page);
      await page.evaluate(axe);
      const { violations } = await page.evaluate(() => window.axe.run());
      assert.deepEqual(violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.target).join(' ')}`), []);
      const beyond = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      assert.ok(beyond <= 0, `${beyond} px too wide`);
      const head = await page.locator('.site-header').evaluate((header) => header.offsetHeight);
      assert.ok(head <= 120, `a header of ${head} px`);
      assert.deepEqual(complaints, []);
      await context.close();
    });
  }

  if (path.includes('#')) continue;
  test(`${path} sends a strict policy`, async () => {
    const policy = (await fetch(`${server.origin}${path}`)).headers.get('content-security-policy') ?? '';
    for (const rule of ["default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "base-uri 'none'", "frame-ancestors 'none'"]) {
      assert.ok(policy.includes(rule), `${rule} is not in ${policy}`);
    }
    assert.doesNotMatch(policy, /unsafe/);
  });
}

test('an installation without summaries shows no way to them', async () => {
  const alone = await new TidingsServer().start('--summarizer', 'off');
  const { page, context } = await watchedPage(browser);
  await page.goto(`${alone.origin}/sse-test`);
  await connected(page);
  assert.deepEqual(await page.locator('.site-nav a').allInnerTexts(), ['Jobs', 'Test page']);
  assert.equal(await page.locator('.brand').getAttribute('href'), '/sse-test');
  assert.equal((await fetch(`${alone.origin}/`)).status, 404);
  await context.close();
  await alone.stop();
});

/** Presses Tab until the focus is on an element, as somebody without a mouse does. */
async function tabTo(page, selector) {
  for (let presses = 0; presses < 60; presses += 1) {
    if (await page.evaluate((selector) => document.activeElement.matches(selector), selector)) return;
    await page.keyboard.press('Tab');
  }
  throw new Error(`Tab never comes to ${selector}`);
}

/** The element with the focus shows it. */
async function checkFocusIsSeen(page) {
  const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
  assert.notEqual(outline, 'none', await page.evaluate(() => document.activeElement.outerHTML.slice(0, 120)));
}

test('the test page works by keyboard alone', async () => {
  const { page, context } = await watchedPage(browser);
  await page.goto(`${server.origin}/sse-test`);
  await connected(page);
  await page.keyboard.press('Tab');
  assert.equal(await page.evaluate(() => document.activeElement.className), 'skip');
  await page.keyboard.press('Enter');
  await tabTo(page, '#types [value=test]');
  await page.keyboard.press('Space');
  assert.equal(await page.isChecked('#types [value=test]'), false);
  await page.keyboard.press('Space');
  await tabTo(page, '#event-data');
  await checkFocusIsSeen(page);
  await page.keyboard.press('Control+A');
  await page.keyboard.type('"by keyboard"');
  await tabTo(page, '#send');
  await checkFocusIsSeen(page);
  await page.keyboard.press('Enter');
  await until(async () => (await page.locator('#log-rows > li[data-type="test"]').count()) === 1, 'the event');
  await tabTo(page, '#log-rows > li[data-type="test"] summary');
  await checkFocusIsSeen(page);
  await page.keyboard.press('Enter');
  await until(async () => page.locator('#log-rows pre').isVisible(), 'its details');
  await tabTo(page, '#fault-drop');
  await page.keyboard.press('Enter');
  await until(async () => (await page.locator('#log-rows > li[data-type="connected"]').count()) === 2, 'connected again');
  await context.close();
});

test('the summarizer works by keyboard alone, its toasts too', async () => {
  const { page, context } = await watchedPage(browser);
  await page.goto(`${server.origin}/`);
  await connected(page);
  await tabTo(page, '#files');
  const outline = await page.evaluate(() => getComputedStyle(document.getElementById('drop')).outlineStyle);
  assert.notEqual(outline, 'none', 'the drop area shows the focus of the input inside it');
  await tabTo(page, '#sample');
  await page.keyboard.press('Enter');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'submit');
  await page.keyboard.press('Enter');
  await until(async () => (await page.locator('.toast').count()) > 0, 'a toast');
  await page.locator('.toast-close').first().focus();
  await page.waitForTimeout(5500);
  assert.ok((await page.locator('.toast').count()) > 0, 'a toast with the focus stays');
  await page.keyboard.press('Escape');
  await until(async () => (await page.locator('.toast:focus-within').count()) === 0 || (await page.locator('.toast').count()) < 2, 'it goes by Escape');
  await page.focus('#summaries summary');
  const wasOpen = await page.locator('#summaries details').evaluate((details) => details.open);
  await page.keyboard.press('Enter');
  assert.equal(await page.locator('#summaries details').evaluate((details) => details.open), !wasOpen);
  await context.close();
});

test('what is pressed on the summarizer keeps the focus, or hands it on', async () => {
  const { page, context } = await watchedPage(browser);
  const focused = () => page.evaluate(() => document.activeElement.id || document.activeElement.textContent);
  const focusIs = (wanted, when) => until(async () => wanted.test(await focused()), `${when} the focus is on ${wanted}`);
  await page.goto(`${server.origin}/`);
  await connected(page);
  await page.focus('#sample');
  await page.keyboard.press('Enter');
  await page.keyboard.press('Enter');
  await until(async () => (await page.inputValue('#text')) === '', 'taken');
  await focusIs(/^submit$/, 'after submitting');
  await until(async () => (await page.locator('.sentences li').count()) > 0, 'a summary');

  const queue = (verb) => fetch(`${server.origin}/api/v1/queues/summarize/${verb}`, { method: 'POST' });
  await queue('pause');
  await page.fill('#text', 'This one waits. It has to wait. It is patient.');
  await page.focus('#submit');
  await page.keyboard.press('Enter');
  const cancel = page.locator('.batch button', { hasText: 'Cancel' });
  await until(async () => (await cancel.count()) === 1, 'a batch that waits');
  await cancel.focus();
  await page.keyboard.press('Enter');
  await until(async () => /Cancelled/.test(await page.locator('.batch h3').first().innerText()), 'cancelled');
  await focusIs(/^Dismiss$/, 'after cancelling');
  await page.keyboard.press('Enter');
  await until(async () => (await page.locator('.batch h3', { hasText: 'Cancelled' }).count()) === 0, 'dismissed');
  await focusIs(/Dismiss|Gettysburg/, 'after dismissing');
  await queue('resume');

  await page.locator('#summaries button', { hasText: 'Delete' }).focus();
  await page.keyboard.press('Enter');
  await page.keyboard.press('Enter');
  await until(async () => (await page.locator('#summaries > li').count()) === 0, 'deleted');
  await focusIs(/^main$/, 'after the last one was deleted');
  await context.close();
});

test('the choice of colours is remembered, and choosing the system’s follows it again', async () => {
  const { page, context } = await watchedPage(browser, { colorScheme: 'light' });
  const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  await page.goto(`${server.origin}/`);
  const light = await ground();
  await page.click('[data-theme-toggle]');
  const dark = await ground();
  assert.notEqual(dark, light);
  await page.goto(`${server.origin}/sse-test`);
  assert.equal(await ground(), dark);
  await page.click('[data-theme-toggle]');
  assert.equal(await ground(), light);
  await page.emulateMedia({ colorScheme: 'dark' });
  assert.equal(await ground(), dark);
  await context.close();
});

test('who wants no motion gets none', async () => {
  const { page, context } = await watchedPage(browser, { reducedMotion: 'reduce' });
  await page.goto(`${server.origin}/sse-test`);
  await connected(page);
  assert.equal(await page.locator('#status-dot .dot').evaluate((dot) => getComputedStyle(dot).animationName), 'none');
  await context.close();
});
