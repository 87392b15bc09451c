/**
 * The page of the jobs in Chromium, against the real server with a queue whose command does real work.
 */

import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { launch, until, watchedPage } from './support/browser.js';
import { GatedQueue } from './support/gated-queue.js';
import { Proxy } from './support/proxy.js';
import { TidingsServer } from './support/tidings-server.js';

let browser;
let queue;
let server;
let proxy;
let page;
let context;
let complaints;
let count = 0;

before(async () => {
  [browser, queue] = await Promise.all([launch(), new GatedQueue().start()]);
});
after(async () => {
  await browser.close();
  await queue.stop();
});

// A server of its own for each: what one test leaves in the list is not what another looks for.
beforeEach(async () => {
  count += 1;
  server = await new TidingsServer().start(...queue.flags);
  proxy = await new Proxy(server.port).start();
  ({ page, context, complaints } = await watchedPage(browser));
  await page.goto(`${proxy.origin}/jobs`);
  await connected();
});
afterEach(async () => {
  await context.close();
  proxy.stop();
  await server.stop();
});

const card = '.queue[data-queue="gated"]';
const text = (selector) => page.locator(selector).innerText();
const connected = () => until(async () => /Connected/.test(await text('#status-dot')), 'connected', 20_000);
const row = (id) => page.locator(`#jobs > li[data-job="${id}"]`);
const badgeIs = (id, word) => until(async () => (await row(id).locator('.badge').innerText()) === word, `${id} is ${word}`);
const ids = () => page.locator('#jobs > li').evaluateAll((rows) => rows.map((row) => row.dataset.job));
const idsAre = (expected) => until(async () => (await ids()).join() === expected.join(), `the jobs ${expected}`);
const figure = (name, queueName = 'gated') => page.locator(`.queue[data-queue="${queueName}"] [data-figure="${name}"] dd`).innerText();
const figureIs = (name, value, queueName) => until(async () => (await figure(name, queueName)) === value, `${name} is ${value}`);

async function request(method, path, body) {
  const options = body === undefined ? { method } : { method, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
  const response = await fetch(`${server.origin}${path}`, options);
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
  return response.status === 204 ? null : response.json();
}

/** A gate that no other test has opened. */
const gate = (name) => `${name}-${count}`;

async function add(jobId, data = {}, more = {}) {
  await request('POST', '/api/v1/queue/add', { queueName: 'gated', jobName: 'scan', jobId, data, ...more });
  return jobId;
}

/** A job that stands at its gate. */
async function addStanding(id) {
  await add(id, { gate: queue.gate(gate(id)), what: id });
  await badgeIs(id, 'active');
}

test('it begins with the queue of the settings, no jobs, and without a complaint', async () => {
  await figureIs('waiting', '0');
  assert.match(await page.locator(card).innerText(), /A command does its jobs, 2 at a time/);
  await until(async () => /No jobs yet/.test(await text('#jobs-empty')), 'the empty list');
  await until(async () => /No batches/.test(await text('#batches-empty')), 'no batches');
  await until(async () => /0\.0 jobs ended a second now/.test(await text('#throughput-caption')), 'the chart in words');
  assert.deepEqual(complaints, []);
});

test('a job is seen from its first moment to its last, without a reload', async () => {
  await addStanding('one');
  await until(async () => /Reading one/.test(await row('one').innerText()), 'what is being done');
  assert.equal(await row('one').locator('progress').evaluate((bar) => bar.value), 40);
  await figureIs('active', '1');
  await until(async () => (await page.locator(`${card} .workers a`).getAttribute('href')) === '#job=one', 'the worker’s job');
  await queue.open(gate('one'));
  await badgeIs('one', 'completed');
  await figureIs('completed', '1');
  await figureIs('active', '0');
  assert.equal(await row('one').locator('progress').evaluate((bar) => bar.value), 100);
  await until(async () => /at most (?!0\.0)[\d.]+ in/.test(await text('#throughput-caption')), 'throughput');
  assert.match(await page.locator('#throughput svg').getAttribute('aria-label'), /jobs ended a second now/);
  assert.deepEqual(complaints, []);
});

test('a queue is paused and resumed', async () => {
  await page.click(`${card} button:text("Pause")`);
  await until(async () => (await page.locator(`${card} .badge`).innerText()) === 'paused', 'paused');
  await add('held');
  await badgeIs('held', 'waiting');
  await figureIs('waiting', '1');
  assert.equal((await request('GET', '/api/v1/queues/gated')).paused, true);
  await page.click(`${card} button:text("Resume")`);
  await badgeIs('held', 'completed');
  assert.equal((await request('GET', '/api/v1/queues/gated')).paused, false);
});

test('the page follows what somebody else pauses', async () => {
  await request('POST', '/api/v1/queues/gated/pause');
  await until(async () => (await page.locator(`${card} .badge`).innerText()) === 'paused', 'paused');
  await request('POST', '/api/v1/queues/gated/resume');
  await until(async () => (await page.locator(`${card} .badge`).innerText()) !== 'paused', 'resumed');
});

test('a job is cancelled only after a question', async () => {
  await addStanding('unwanted');
  await row('unwanted').locator('[data-action="cancel"]').click();
  assert.match(await text('#confirm'), /Cancel this job\?/);
  await page.click('#confirm-no');
  assert.equal((await request('GET', '/api/v1/jobs/unwanted')).status, 'processing');
  await row('unwanted').locator('[data-action="cancel"]').click();
  await page.keyboard.press('Escape');
  assert.equal((await request('GET', '/api/v1/jobs/unwanted')).status, 'processing');
  await row('unwanted').locator('[data-action="cancel"]').click();
  await page.click('#confirm-yes');
  await badgeIs('unwanted', 'cancelled');
  await figureIs('active', '0');
});

test('a failed job says why, is tried again as another one, and can be removed', async () => {
  await add('broken', { fails: 'the <b>disk</b> is full' });
  await badgeIs('broken', 'failed');
  await until(async () => /the <b>disk<\/b> is full/.test(await row('broken').innerText()), 'why');
  assert.equal(await page.locator('#jobs b').count(), 0);
  await row('broken').locator('[data-action="retry"]').click();
  await until(() => page.locator('#details').isVisible(), 'the new job’s details');
  const again = decodeURIComponent(new URL(page.url()).hash.slice('#job='.length));
  assert.notEqual(again, 'broken');
  await page.click('#details-close');
  await badgeIs(again, 'failed');
  await until(async () => (await row('broken').locator('[data-action]').getAttribute('data-action')) === 'remove', 'it is not retried twice');
  await row('broken').locator('[data-action="remove"]').click();
  await page.click('#confirm-yes');
  await until(async () => !(await ids()).includes('broken'), 'it is gone');
  assert.equal((await fetch(`${server.origin}/api/v1/jobs/broken`)).status, 404);
  assert.deepEqual(complaints, []);
});

test('the list is filtered by status, by queue and by a part of the id, and the address keeps it', async () => {
  await add('good-1');
  await add('bad-1', { fails: 'no' });
  await request('POST', '/api/v1/jobs', { jobId: 'loose-1', kind: 'any' });
  await badgeIs('good-1', 'completed');
  await badgeIs('bad-1', 'failed');
  await idsAre(['loose-1', 'bad-1', 'good-1']);
  await page.click(`${card} button:text("Failed")`);
  await idsAre(['bad-1']);
  assert.match(page.url(), /\?status=failed&queue=gated$/);
  await page.reload();
  await idsAre(['bad-1']);
  assert.equal(await page.isChecked('#statuses [value=failed]'), true);
  await page.check('#statuses [value=completed]');
  await idsAre(['bad-1', 'good-1']);
  await page.uncheck('#statuses [value=completed]');
  await page.uncheck('#statuses [value=failed]');
  await page.selectOption('#filter-queue', '');
  await idsAre(['loose-1', 'bad-1', 'good-1']);
  await page.fill('#filter-text', 'BAD');
  await idsAre(['bad-1']);
  await page.fill('#filter-text', 'nothing like it');
  await until(async () => /None of these jobs/.test(await text('#jobs-empty')), 'none');
  await page.fill('#filter-text', 'loose-1');
  await page.press('#filter-text', 'Enter');
  await until(async () => /"kind": "any"/.test(await text('#details')), 'the job of that id');
});

test('more than a page of jobs is loaded on demand', async () => {
  await request('POST', '/api/v1/queues/gated/pause');
  const jobs = Array.from({ length: 130 }, (_, index) => ({ jobName: 'many', jobId: `many-${String(index).padStart(3, '0')}` }));
  await request('POST', '/api/v1/queue/add-bulk', { queueName: 'gated', jobs });
  await until(async () => (await ids()).length === 50, 'the first page');
  assert.equal((await ids())[0], 'many-129');
  assert.match(await text('#jobs-line'), /the newest 50/);
  await page.click('#more-jobs');
  await until(async () => (await ids()).length === 100, 'the second page');
  await page.click('#more-jobs');
  await until(async () => (await ids()).length === 130, 'all');
  assert.equal(await page.locator('#more-jobs').isVisible(), false);
  assert.equal((await ids()).at(-1), 'many-000');
  await request('POST', '/api/v1/jobs/many-000/cancel');
  await badgeIs('many-000', 'cancelled');
});

test('what somebody is at does not move, and shows what is newer when they want it', async () => {
  await add('first');
  await badgeIs('first', 'completed');
  await row('first').locator('a').focus();
  await add('second');
  await until(() => page.locator('#show-newer').isVisible(), 'there are newer ones');
  assert.deepEqual(await ids(), ['first']);
  await page.click('#show-newer');
  await idsAre(['second', 'first']);
  await page.click('#hold');
  await add('third');
  await until(() => page.locator('#show-newer').isVisible(), 'newer again');
  assert.deepEqual(await ids(), ['second', 'first']);
  await page.click('#hold');
  await idsAre(['third', 'second', 'first']);
});

test('a job’s details are live, have an address, and tell what it went through', async () => {
  await addStanding('told');
  await row('told').locator('a').click();
  assert.match(page.url(), /#job=told$/);
  await until(async () => /Reading told/.test(await text('#details')), 'what is being done');
  assert.match(await text('#details .facts'), /told[\s\S]*gated/);
  assert.match(await text('#details-body'), /"what": "told"/);
  await queue.open(gate('told'));
  const steps = page.locator('.timeline li');
  await until(async () => (await steps.last().locator('.badge').innerText()) === 'completed', 'the end, live');
  assert.equal(await steps.first().locator('.badge').innerText(), 'waiting');
  const stages = await steps.locator('.stage').allInnerTexts();
  assert.ok(stages.includes('reading') && stages.includes('writing'), stages.join());
  assert.match(await steps.nth(1).locator('.took').innerText(), /^[\d.]+ (ms|s)$/);
  assert.match(await text('#details-body'), /"pages": 7/);
  await page.keyboard.press('Escape');
  assert.equal(await page.locator('#details').isVisible(), false);
  await until(() => !page.url().includes('#'), 'the address names it no more');
  await page.goBack();
  await until(() => page.locator('#details').isVisible(), 'the way back opens it');
  await page.goto(`${proxy.origin}/jobs#job=told`);
  await page.reload();
  await until(async () => /"pages": 7/.test(await text('#details-body')), 'by its address alone');
  assert.deepEqual(complaints, []);
});

test('an address of no job says so', async () => {
  await page.goto(`${proxy.origin}/jobs#job=nobody`);
  await until(async () => /There is no such job/.test(await text('#details')), 'no such job');
});

test('a stalled job is called so', async () => {
  await request('POST', '/api/v1/jobs', { jobId: 'leased', lease_seconds: 1 });
  await request('POST', '/api/v1/jobs/leased/status', { status: 'processing', progress: 5 });
  await badgeIs('leased', 'stalled');
  await page.goto(`${proxy.origin}/jobs#job=leased`);
  await until(async () => /1 s: without a word/.test(await text('#details')), 'its lease');
});

test('a batch is rolled up live, looked into, and cancelled after a question', async () => {
  const jobs = ['b-one', 'b-two'].map((jobId) => ({ queueName: 'gated', jobName: 'scan', jobId, data: { gate: queue.gate(gate(jobId)) } }));
  const broken = { queueName: 'gated', jobName: 'scan', jobId: 'b-broken', data: { fails: 'no' } };
  await request('POST', '/api/v1/batches', { title: 'All <of> them', jobs: [broken, ...jobs, { request: { loose: true } }] });
  await page.reload();
  const roll = page.locator('#batches li');
  await until(async () => /All <of> them[\s\S]*0 of 4 completed, 1 failed, 2 active/.test(await roll.innerText()), 'its roll-up');
  await queue.open(gate('b-one'));
  await until(async () => /1 of 4 completed, 1 failed, 1 active/.test(await roll.innerText()), 'one more');
  const width = (part) => roll.locator(`.roll-up .${part}`).evaluate((rect) => rect.width.baseVal.value);
  assert.deepEqual([await width('completed'), await width('failed'), await width('processing'), await width('cancelled')], [250, 250, 250, 0]);
  await roll.locator('a').click();
  assert.match(page.url(), /#batch=/);
  await until(async () => (await page.locator('#details .job').count()) === 4, 'its jobs');
  await queue.open(gate('b-two'));
  await until(async () => /2 of 4 completed, 1 failed/.test(await text('#details')), 'its own stream');
  await page.selectOption('#batch-status', 'failed');
  await until(async () => (await page.locator('#details .job').count()) === 1, 'only the failed one');
  await page.click('#details button:text("Cancel the batch")');
  assert.match(await text('#confirm-text'), /1 of its jobs has not ended/);
  await page.click('#confirm-yes');
  await until(async () => (await page.locator('#details .badge').first().innerText()) === 'failed', 'how it ended');
  assert.match(await text('#details'), /100 %[\s\S]*2 of 4 completed, 1 failed, 1 cancelled/);
  assert.equal(await page.locator('#details button:text("Cancel the batch")').isVisible(), false);
  assert.deepEqual(complaints, []);
});

test('a newcomer adds a job to a queue of their own and works on it in the page', async () => {
  await page.fill('#queue-name', 'not a name');
  await page.fill('#job-data', '{');
  await page.click('#add-job');
  assert.match(await text('#queue-name-error'), /letters, digits/);
  assert.match(await text('#job-data-error'), /No valid JSON/);
  await page.fill('#queue-name', 'demo');
  await page.fill('#job-data', '{"n": 12345678901234567890}');
  await page.click('#add-job');
  await until(async () => /Added as/.test(await text('#try-answer')), 'added');
  const link = page.locator('#try-answer a');
  const id = await link.getAttribute('title');
  await badgeIs(id, 'waiting');
  await figureIs('waiting', '1', 'demo');
  await link.click();
  await until(async () => /12345678901234567000|1\.2345678901234567e\+19/.test(await text('#details-body')), 'its data');
  assert.match(await (await fetch(`${server.origin}/api/v1/jobs/${id}`)).text(), /12345678901234567890/);
  await page.keyboard.press('Escape');
  await page.click('#work');
  await badgeIs(id, 'active');
  await badgeIs(id, 'completed');
  await until(async () => /Completed/.test(await text('#try-answer')), 'completed');
  await page.click('#work');
  await until(async () => /No job waits in demo/.test(await text('#try-answer')), 'no other');
  assert.deepEqual(complaints, []);
});

test('a lost connection is told and mended, with what happened meanwhile', async () => {
  await addStanding('away');
  proxy.sever();
  await until(() => page.locator('#connection-notice').isVisible(), 'a notice', 20_000);
  await queue.open(gate('away'));
  await until(async () => (await request('GET', '/api/v1/jobs/away')).status === 'completed', 'the end');
  await add('meanwhile');
  proxy.mend();
  await connected();
  await badgeIs('away', 'completed');
  await badgeIs('meanwhile', 'completed');
  await until(async () => !(await page.locator('#connection-notice').isVisible()), 'the notice goes');
});

test('what cannot be asked for is said, with a way to ask again', async () => {
  await page.route('**/api/v1/queues', (route) => route.fulfill({ status: 503, json: { title: 'Too busy', detail: 'Come back.' } }));
  await page.route('**/api/v1/jobs?*', (route) => route.fulfill({ status: 503, json: { title: 'Too busy', detail: 'Come back.' } }));
  await page.reload();
  await until(async () => /Too busy: Come back\./.test(await text('#queues-problem')), 'the problem of the queues');
  await until(async () => /Too busy: Come back\./.test(await text('#jobs-problem')), 'the problem of the jobs');
  assert.equal(await page.locator('#jobs-loading').isVisible(), false);
  await page.unroute('**/api/v1/queues');
  await page.unroute('**/api/v1/jobs?*');
  await page.click('#queues-problem button');
  await page.click('#jobs-problem button');
  await until(async () => !(await page.locator('#queues-problem').isVisible()), 'it goes');
  await until(async () => /No jobs yet/.test(await text('#jobs-empty')), 'the list');
});

test('it works by keyboard alone', async () => {
  await addStanding('keyed');
  const tabTo = async (selector) => {
    for (let presses = 0; presses < 60; presses += 1) {
      if (await page.evaluate((selector) => document.activeElement.matches(selector), selector)) return;
      await page.keyboard.press('Tab');
    }
    throw new Error(`Tab never comes to ${selector}`);
  };
  await tabTo(`${card} button`);
  await page.keyboard.press('Enter');
  await until(async () => (await page.locator(`${card} .badge`).innerText()) === 'paused', 'paused');
  await until(() => page.evaluate(() => document.activeElement.textContent === 'Resume'), 'the focus stays');
  await page.keyboard.press('Enter');
  await until(async () => (await page.locator(`${card} .badge`).innerText()) !== 'paused', 'resumed');
  await tabTo('#jobs a');
  await page.keyboard.press('Enter');
  await until(() => page.locator('#details').isVisible(), 'the details');
  await tabTo('#details [data-action="cancel"]');
  await page.keyboard.press('Enter');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'confirm-no', 'what destroys is not the first choice');
  await page.keyboard.press('Shift+Tab');
  await page.keyboard.press('Enter');
  await until(async () => (await page.locator('#details .badge').first().innerText()) === 'cancelled', 'cancelled');
  await page.keyboard.press('Escape');
  assert.equal(await page.evaluate(() => document.activeElement.getAttribute('href')), '#job=keyed', 'back where it was opened');
});
