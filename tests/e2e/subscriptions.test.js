/**
 * The subscriptions door in a real browser: the vanilla example of seed 001 as it stands, and a page whose
 * EventSource comes back by itself.
 */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { launch, until, watchedPage } from './support/browser.js';
import { Proxy } from './support/proxy.js';
import { TidingsServer } from './support/tidings-server.js';

/** Seed 001's example, but for the address of the server and the two functions that it leaves to the page. */
const EXAMPLE = `
// 1. Connect to SSE
const eventSource = new EventSource('http://localhost:8000/api/v1/sse/connect');

// 2. Listen for connection event
eventSource.addEventListener('connected', (e) => {
    const data = JSON.parse(e.data);
    const connectionId = data.connectionId;
    console.log('Connected:', connectionId);

    // 3. Subscribe to job updates
    subscribeToJob(connectionId, 'job-123');
});

// 4. Listen for job updates
eventSource.addEventListener('job_update', (e) => {
    const data = JSON.parse(e.data);
    console.log('Job Update:', data);

    // Update UI with progress
    updateProgressBar(data.progress);
    updateStatusMessage(data.message);
});

// 5. Listen for heartbeat
eventSource.addEventListener('heartbeat', (e) => {
    console.log('Heartbeat received');
});

// 6. Handle errors
eventSource.onerror = (error) => {
    console.error('SSE error:', error);
    eventSource.close();
};

// 7. Subscribe to job
async function subscribeToJob(connectionId, jobId) {
    await fetch(\`http://localhost:8000/api/v1/sse/\${connectionId}/subscribe/job/\${jobId}\`, {
        method: 'POST'
    });
}

// 8. Cleanup on page unload
window.addEventListener('beforeunload', () => {
    eventSource.close();
});
`;

const PAGE = `
window.bars = [];
window.messages = [];
function updateProgressBar(progress) { window.bars.push(progress); }
function updateStatusMessage(message) { window.messages.push(message); }
`;

let browser;
before(async () => {
  browser = await launch();
});
after(() => browser.close());

async function post(server, path, body) {
  const response = await fetch(`${server.origin}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  assert.ok(response.ok, `${path}: ${response.status}`);
  return response.json();
}

const makeJob = (server, jobId) => post(server, '/api/v1/jobs', { jobId });
const report = (server, jobId, update) => post(server, `/api/v1/jobs/${jobId}/status`, update);
const stats = async (server) => (await fetch(`${server.origin}/api/v1/sse/stats`)).json();

test('the example of the seed shows a job from its present state to its end', async () => {
  const server = await new TidingsServer().start('--heartbeat-ms', '50');
  const { page, context, complaints } = await watchedPage(browser);
  try {
    await makeJob(server, 'job-123');
    await report(server, 'job-123', { status: 'processing', progress: 10, message: 'Fetching' });
    // Chromium asks for it on its own; that there is none is no complaint.
    await page.route('**/favicon.ico', (route) => route.fulfill({ status: 204 }));
    const said = [];
    page.on('console', (message) => said.push(message.text()));
    await page.goto(`${server.origin}/health`);
    await page.evaluate(PAGE + EXAMPLE.replaceAll('http://localhost:8000', server.origin));
    const shown = (count) => until(() => page.evaluate((least) => window.bars?.length >= least, count), `${count} updates`);
    await shown(1);
    assert.equal((await stats(server)).totalJobSubscriptions, 1);
    await report(server, 'job-123', { status: 'processing', progress: 50, message: 'Parsing resume content' });
    await shown(2);
    await report(server, 'job-123', { status: 'completed', progress: 100, message: 'Done' });
    await shown(3);
    await until(() => said.includes('Heartbeat received'), 'a heartbeat');
    assert.deepEqual(await page.evaluate(() => window.bars), [10, 50, 100]);
    assert.deepEqual(await page.evaluate(() => window.messages), ['Fetching', 'Parsing resume content', 'Done']);
    await page.close();
    await until(() => stats(server).then((seen) => seen.totalConnections === 0), 'the cleanup');
    assert.deepEqual(complaints, []);
  } finally {
    await context.close();
    await server.stop();
  }
});

test('an EventSource that comes back subscribes again by its own address', async () => {
  const server = await new TidingsServer().start('--retry-ms', '50');
  const proxy = await new Proxy(server.port).start();
  const { page, context } = await watchedPage(browser);
  try {
    for (const job of ['a', 'b']) await makeJob(server, job);
    await page.goto(`${proxy.origin}/health`);
    await page.evaluate(() => {
      window.told = [];
      window.source = new EventSource('/api/v1/sse/connect?job=a,b');
      for (const name of ['connected', 'gap', 'job_update']) {
        window.source.addEventListener(name, (event) => {
          const data = JSON.parse(event.data);
          window.told.push(name === 'job_update' ? `${data.jobId} ${data.status} ${data.progress}` : name);
        });
      }
    });
    const told = (count) => until(async () => {
      const seen = await page.evaluate(() => window.told);
      return seen.length >= count && seen;
    }, `${count} events`);
    await told(3);
    proxy.cut();
    await report(server, 'a', { status: 'processing', progress: 30 });
    await report(server, 'b', { status: 'failed', progress: 5 });
    const seen = await told(6);
    assert.deepEqual(seen.slice(0, 3), ['connected', 'a pending 0', 'b pending 0']);
    // What happened meanwhile is in the present state, or comes after it; nothing is a gap.
    assert.equal(seen[3], 'connected');
    await until(() => page.evaluate(() => window.told.includes('a started 30') && window.told.includes('b failed 5')), 'the end');
    assert.ok(!(await page.evaluate(() => window.told.includes('gap'))));
  } finally {
    await context.close();
    await proxy.stop();
    await server.stop();
  }
});
