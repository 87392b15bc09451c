/**
 * A job watched in a real browser by the client code of its seed, which is run as it stands there.
 */

import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { launch, until, watchedPage } from './support/browser.js';
import { Proxy } from './support/proxy.js';
import { TidingsServer } from './support/tidings-server.js';

/** "Creating a Job and Connecting to SSE", word for word. */
const SEED = `
// 1. Client creates job
const response = await fetch('/api/v1/jobs', { 
  method: 'POST', 
  headers: { 'Content-Type': 'application/json' },
  body: JSON.stringify({
    topics: ['technology'],
    sources: ['techcrunch', 'ars-technica']
  })
});

const { jobId, sseEndpoint } = await response.json();

// 2. Client connects to SSE endpoint
const eventSource = new EventSource(sseEndpoint);

eventSource.onmessage = (event) => {
  const statusUpdate = JSON.parse(event.data);
  console.log('Job update:', statusUpdate);
  
  // Update UI with progress
  updateProgressBar(statusUpdate.progress);
  updateStatusMessage(statusUpdate.message);
};

eventSource.onerror = (error) => {
  console.error('SSE connection error:', error);
  // Implement reconnection logic
};
`;

let browser;
let server;
let proxy;
let page;
let context;
/** The statuses with which streams were answered, in their order. */
let answers;
/** How many streams were asked for. */
let asked;

before(async () => {
  browser = await launch();
});
after(() => browser.close());

beforeEach(async () => {
  server = await new TidingsServer().start('--retry-ms', '50', '--heartbeat-ms', '100');
  proxy = await new Proxy(server.port).start();
  ({ page, context } = await watchedPage(browser));
  answers = [];
  asked = 0;
  const isStream = (url) => url.endsWith('/events');
  page.on('request', (request) => { asked += isStream(request.url()) ? 1 : 0; });
  page.on('response', (response) => isStream(response.url()) && answers.push(response.status()));
  // Any page of the same origin will do.
  await page.goto(`${proxy.origin}/health`);
  await page.evaluate(() => {
    globalThis.shown = [];
    globalThis.updateProgressBar = (progress) => shown.push([progress]);
    globalThis.updateStatusMessage = (message) => shown.at(-1).push(message);
  });
});
afterEach(async () => {
  await context.close();
  proxy.stop();
  await server.stop();
});

/** Runs the seed's code; returns the job's id once the browser is told of it. */
async function watch() {
  const complaints = [];
  page.on('pageerror', (error) => complaints.push(error));
  await page.addScriptTag({ type: 'module', content: SEED });
  await shownAre([[0, '']]);
  assert.deepEqual(complaints, []);
  const { jobs } = await (await fetch(`${server.origin}/api/v1/jobs`)).json();
  assert.equal(jobs.length, 1);
  const { request } = await (await fetch(`${server.origin}/api/v1/jobs/${jobs[0].jobId}`)).json();
  assert.deepEqual(request, { topics: ['technology'], sources: ['techcrunch', 'ars-technica'] });
  return jobs[0].jobId;
}

async function report(jobId, said) {
  const response = await fetch(`${server.origin}/api/v1/jobs/${jobId}/status`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(said),
  });
  assert.equal(response.status, 200, await response.text());
}

const shown = () => page.evaluate(() => globalThis.shown);

async function shownAre(expected) {
  await until(async () => (await shown()).length >= expected.length, `${expected.length} updates`);
  assert.deepEqual(await shown(), expected);
}

/** The browser came back once after the end, was told that there is no more, and stays away. */
async function checkOver(streams) {
  await until(() => answers.at(-1) === 204, 'a 204 after the end');
  // Twenty times as long as it waits before it comes back.
  await page.waitForTimeout(1000);
  assert.equal(asked, streams + 1, 'nobody asks any more');
  assert.deepEqual(answers, [...Array(streams).fill(200), 204]);
}

test("the seed's client sees a job to its end and then asks no more", async () => {
  const jobId = await watch();
  await report(jobId, { status: 'processing', progress: 10, stage: 'retrieving-content', message: 'Fetching' });
  await shownAre([[0, ''], [10, 'Fetching']]);
  await report(jobId, { status: 'processing', progress: 55.5, message: 'Half of it' });
  // Heartbeats in between would make the seed's JSON.parse fail, if it saw them.
  await page.waitForTimeout(350);
  await report(jobId, { status: 'completed', message: 'Done' });
  const all = [[0, ''], [10, 'Fetching'], [55.5, 'Half of it'], [100, 'Done']];
  await shownAre(all);
  await checkOver(1);
  assert.deepEqual(await shown(), all, 'the end comes once');
});

test('a connection that is cut brings the present state again, and the end once', async () => {
  const jobId = await watch();
  await report(jobId, { status: 'processing', progress: 40, message: 'a' });
  await shownAre([[0, ''], [40, 'a']]);
  proxy.cut();
  await until(() => answers.length === 2, 'it comes back');
  await shownAre([[0, ''], [40, 'a'], [40, 'a']]);
  proxy.cut();
  await report(jobId, { status: 'failed', message: 'b', error: 'no audio' });
  await until(async () => (await shown()).some(([, message]) => message === 'b'), 'the end');
  await checkOver(3);
  assert.equal((await shown()).filter(([, message]) => message === 'b').length, 1);
});
