/**
 * The React and the Vue example of seed 001, as they stand but for the server's address (`seeds/`), with the
 * frameworks from their packages, in a real browser.
 */

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { launch, until, watchedPage } from './support/browser.js';
import { TidingsServer } from './support/tidings-server.js';

const here = fileURLToPath(new URL('.', import.meta.url));

/** Shows the example's component; the seed leaves to the page where it is mounted. */
const REACT = `
import { createRoot } from 'react-dom/client';
import { JobProgress } from 'example';
const root = createRoot(document.getElementById('app'));
root.render(<JobProgress jobId="job-123" />);
window.unmount = () => root.unmount();
`;

/** The same for Vue; the seed leaves out the template and that the job comes as a property. */
const VUE = `
import { createApp, h } from 'vue';
import example from 'example';
const shown = {
  ...example,
  props: ['jobId'],
  render() { return [h('div', { class: 'progress-bar' }, this.progress + '%'), h('p', this.status)]; },
};
const app = createApp(shown, { jobId: 'job-123' });
app.mount('#app');
window.unmount = () => app.unmount();
`;

/** The page's script: `entry` with the seed's file as the module \`example\`. */
async function bundle(entry, file, origin, ending = '') {
  const source = await readFile(`${here}seeds/${file}`, 'utf8');
  const example = source.replaceAll('http://localhost:8000', origin) + ending;
  const asModule = {
    name: 'example',
    setup(made) {
      made.onResolve({ filter: /^example$/ }, () => ({ path: 'example', namespace: 'seed' }));
      made.onLoad({ filter: /.*/, namespace: 'seed' }, () => ({ contents: example, loader: 'jsx', resolveDir: here }));
    },
  };
  const made = await build({
    stdin: { contents: entry, loader: 'jsx', resolveDir: here },
    plugins: [asModule],
    bundle: true,
    write: false,
    format: 'iife',
    jsx: 'automatic',
    define: { 'process.env.NODE_ENV': '"production"' },
  });
  return made.outputFiles[0].text;
}

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
}

const report = (server, update) => post(server, '/api/v1/jobs/job-123/status', update);
const stats = async (server) => (await fetch(`${server.origin}/api/v1/sse/stats`)).json();

/** Shows the component on a page of the server's own origin, and follows a job on it to its end. */
async function follow(makeScript) {
  const server = await new TidingsServer().start('--data-dir', '');
  const { page, context, complaints } = await watchedPage(browser);
  try {
    await post(server, '/api/v1/jobs', { jobId: 'job-123' });
    await report(server, { status: 'processing', progress: 10, message: 'Fetching' });
    const body = `<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><div id="app"></div><script>${await makeScript(server.origin)}</script>`;
    await page.route('**/example', (route) => route.fulfill({ contentType: 'text/html', body }));
    await page.goto(`${server.origin}/example`);
    const shows = (percent, message) => until(async () => {
      const bar = await page.locator('.progress-bar').innerText();
      return bar === `${percent}%` && (await page.locator('#app p').innerText()) === message;
    }, `${percent}% ${message}`);
    await shows(10, 'Fetching');
    await report(server, { status: 'processing', progress: 50, message: 'Parsing resume content' });
    await shows(50, 'Parsing resume content');
    await report(server, { status: 'completed', progress: 100, message: 'Done' });
    await shows(100, 'Done');
    assert.equal((await stats(server)).totalJobSubscriptions, 1);
    await page.evaluate(() => window.unmount());
    await until(() => stats(server).then((seen) => seen.totalConnections === 0), 'the cleanup');
    assert.deepEqual(complaints, []);
  } finally {
    await context.close();
    await server.stop();
  }
}

test('the React example of the seed follows a job', async () => {
  await follow((origin) => bundle(REACT, 'JobProgress.jsx', origin, '\nexport { JobProgress };\n'));
});

test('the Vue example of the seed follows a job', async () => {
  await follow((origin) => bundle(VUE, 'jobProgress.vue.js', origin));
});
