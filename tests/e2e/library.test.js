/**
 * The library on the summarizer's page: videos and playlists through the real yt-dlp, searching, choosing, deleting,
 * other tabs, reading without a script.
 */

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { createServer } from 'node:http';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { launch, until, watchedPage } from './support/browser.js';
import { TidingsServer } from './support/tidings-server.js';

const ytDlp = fileURLToPath(new URL('../../target/yt-dlp/bin/yt-dlp', import.meta.url));
const skip = existsSync(ytDlp) ? false : 'yt-dlp is not installed; scripts/test does that';
if (skip && process.env.CI === 'true') throw new Error(skip);

const captions = `WEBVTT

00:01.000 --> 00:04.000
Dr. Lee says that the harbour needs a new lamp.

01:05.500 --> 01:09.000
Every ship that enters the harbour looks for the lamp.

02:10.000 --> 02:12.000
The weather was fine on all of those days.
`;

/** A playlist of two talks, which are nobody else's. */
function feed(name) {
  const items = ['one', 'two'].map((talk) => `<item><title>${name} ${talk}</title><link>${origin}/${name}/${talk}.html</link></item>`);
  return `<?xml version="1.0"?><rss version="2.0"><channel><title>${name}</title>${items.join('')}</channel></rss>`;
}

/** `/Harbour/feed.xml`, `/Harbour/one.html`, `/Harbour/one.vtt` and so on. */
function partOfPlaylist(path) {
  const [, name, file] = /^\/(\w+)\/(\w+\.\w+)$/.exec(path) ?? [];
  const [talk, kind] = file?.split('.') ?? [];
  if (file === 'feed.xml') return ['application/rss+xml', feed(name)];
  if (kind === 'html') return ['text/html', `<!doctype html><title>${name} ${talk}</title><video src="/v.mp4"><track kind="captions" srclang="en" src="/${name}/${talk}.vtt"></video>`];
  return kind === 'vtt' ? ['text/vtt', `WEBVTT\n\n00:01.000 --> 00:04.000\nThis is talk ${talk} of the ${name}, and it is about lamps.\n`] : undefined;
}

const site = createServer((request, response) => {
  const pages = {
    '/talk.html': ['text/html', '<!doctype html><title>A talk on lamps</title><video src="/v.mp4"><track kind="captions" srclang="en" src="/en.vtt"></video>'],
    '/silent.html': ['text/html', '<!doctype html><title>Silence</title><video src="/v.mp4"></video>'],
    '/en.vtt': ['text/vtt', captions],
    '/v.mp4': ['video/mp4', 'not much of a film'],
  };
  const [type, body] = pages[request.url] ?? partOfPlaylist(request.url) ?? ['text/plain', ''];
  response.writeHead(body ? 200 : 404, { 'content-type': type }).end(body);
});

let browser;
let server;
let origin;
let page;
let context;
let complaints;

before(async () => {
  await new Promise((ready) => site.listen(0, '127.0.0.1', ready));
  origin = `http://127.0.0.1:${site.address().port}`;
  [browser, server] = await Promise.all([
    launch(),
    new TidingsServer().start('--yt-dlp', ytDlp, '--video-hosts', '*', '--fetch-private-addresses', 'on'),
  ]);
});
after(async () => {
  await browser.close();
  await server.stop();
  site.close();
});
beforeEach(async () => {
  ({ page, context, complaints } = await watchedPage(browser));
  await page.goto(`${server.origin}/`);
  await until(async () => /Connected/.test(await text('#status-dot')), 'connected');
});
afterEach(() => context.close());

const text = (selector) => page.locator(selector).innerText();
const item = (title) => page.locator('#summaries > li', { hasText: title });

async function send(title, words) {
  await page.fill('#title', title);
  await page.fill('#text', words);
  await page.click('#submit');
  await until(async () => (await item(title).count()) === 1, title, 30_000);
}

test('a video is summarized, and its points lead into it', { skip }, async () => {
  await page.fill('#links', `${origin}/talk.html\n${origin}/silent.html`);
  assert.match(await text('#links-hint'), /2 videos/);
  await page.click('#submit');
  await until(async () => (await item('A talk on lamps').count()) === 1, 'the talk', 40_000);
  await until(async () => (await item('A talk on lamps').locator('.time a').count()) > 0, 'its points');
  const link = item('A talk on lamps').locator('.time a').nth(1);
  assert.equal(await link.getAttribute('href'), `${origin}/talk.html#t=65`);
  await page.emulateMedia({ media: 'print' });
  assert.equal(await item('A talk on lamps').locator('.on-paper').innerText(), `${origin}/talk.html`, 'paper cannot be clicked on');
  await page.emulateMedia({ media: null });
  assert.equal(await item('A talk on lamps').locator('.on-paper').isVisible(), false);
  // The other one failed, and can be tried again.
  await until(async () => /no captions/.test(await text('.batch .why:not(:empty)')), 'why not', 40_000);
  await page.locator('.batch-items button:visible', { hasText: 'Try again' }).click();
  await until(async () => (await page.locator('.batch').count()) === 2, 'another try');
  assert.deepEqual(complaints, []);
});

test('what cannot be a video is said at the field, and stays there', async () => {
  await page.fill('#links', 'nonsense');
  await page.click('#submit');
  await until(async () => /neither the address of a video/.test(await text('#links-error')), 'the mistake');
  assert.equal(await page.inputValue('#links'), 'nonsense');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'links');
});

test('a search looks into what was said, and shows where', async () => {
  await send('On birds', 'The gannet dives from forty metres. It folds its wings. Then it hits the water like a spear.');
  await send('On fish', 'The herring swims in schools. Schools confuse those who hunt. Some of them are huge.');
  await page.fill('#search', 'gann');
  await until(async () => (await page.locator('#summaries > li').count()) === 1, 'only the birds');
  assert.equal(await text('.snippet mark'), 'gannet');
  assert.match(page.url(), /\?q=gann/);
  await page.fill('#search', 'submarine');
  await until(async () => /No summary matches/.test(await text('#summaries-empty')), 'nothing');
});

test('deleting takes a second press, and another tab follows', async () => {
  await send('To be gone', 'This talk will be deleted. Nobody will miss it. It had three sentences.');
  const other = await context.newPage();
  await other.goto(`${server.origin}/`);
  await until(async () => (await other.locator('#summaries > li', { hasText: 'To be gone' }).count()) === 1, 'it is there as well');
  if (!(await item('To be gone').locator('details').evaluate((details) => details.open))) await item('To be gone').locator('summary').click();
  const button = item('To be gone').locator('button', { hasText: 'Delete' });
  await button.click();
  assert.equal(await button.innerText(), 'Delete it for good?');
  await button.click();
  await until(async () => (await item('To be gone').count()) === 0, 'gone');
  await until(async () => (await other.locator('#summaries > li', { hasText: 'To be gone' }).count()) === 0, 'gone there too');
});

test('a reload shows a batch that is under way again', async () => {
  await fetch(`${server.origin}/api/v1/queues/summarize/pause`, { method: 'POST' });
  await page.fill('#title', 'Later');
  await page.fill('#text', 'This one waits. It has to wait. It is patient.');
  await page.click('#submit');
  await until(async () => (await page.locator('.batch').count()) === 1, 'a batch');
  await page.reload();
  await until(async () => /Later/.test(await text('.batch-items')), 'the batch is back');
  await fetch(`${server.origin}/api/v1/queues/summarize/resume`, { method: 'POST' });
  await until(async () => (await item('Later').count()) === 1, 'made');
});

test('without a script summaries are found and read', async () => {
  await send('For readers', captions);
  const cookies = await context.cookies();
  const { page: plain, context: scriptless } = await watchedPage(browser, { javaScriptEnabled: false });
  await scriptless.addCookies(cookies);
  await plain.goto(`${server.origin}/?q=harbour`);
  assert.ok((await plain.locator('#summaries > li').count()) >= 1);
  await plain.locator('#summaries a', { hasText: 'For readers' }).click();
  assert.equal(await plain.locator('h1').innerText(), 'For readers');
  const moment = plain.locator('.sentences .time a').nth(1);
  assert.equal(await moment.getAttribute('href'), '#t65');
  await moment.click();
  assert.match(await plain.locator('.transcript p:has(:target)').innerText(), /Every ship/);
  const markdown = await scriptless.request.get(`${server.origin}${await plain.locator('a', { hasText: 'Markdown' }).getAttribute('href')}`);
  assert.match(await markdown.text(), /^# For readers\n[^]*- 1:05 Every ship that enters/);
  await scriptless.close();
});

test('who follows a link to a summary that is gone is told so in words', async () => {
  const answer = await page.goto(`${server.origin}/summaries/none`);
  assert.equal(answer.status(), 404);
  assert.match(await text('h1'), /no such summary/);
  await page.click('main a');
  await until(async () => (await page.locator('#composer').count()) === 1, 'a way on');
});

const chosen = () => page.locator('#playlist-filter').evaluate((filter) => filter.selectedOptions[0].textContent);
const choices = () => page.locator('#playlist-filter option').allInnerTexts();
/** As the pages are called; yt-dlp numbers what it finds on one. */
const titles = async () => (await page.locator('#summaries h3').allInnerTexts()).map((title) => title.replace(/ \(\d+\)$/, ''));
const titlesAre = (...expected) => until(async () => (await titles()).sort().join() === expected.sort().join(), `only ${expected}`);

/** Asks for a playlist's talks; their summaries are everyone's. */
async function playlist(name) {
  const answer = await context.request.post(`${server.origin}/api/v1/summaries`, { data: { playlist: `${origin}/${name}/feed.xml` } });
  assert.equal(answer.status(), 202, await answer.text());
  await until(async () => (await choices()).includes(`${name} (2)`), `the playlist ${name}`, 40_000);
}

test('a playlist is chosen, searched in, and left again', { skip }, async () => {
  await send('Alone', 'This talk is about lamps. Nobody made a list of it. It stands alone.');
  await playlist('Harbour');
  const all = await titles();
  await page.selectOption('#playlist-filter', 'Harbour');
  await titlesAre('Harbour one', 'Harbour two');
  assert.match(page.url(), /\?playlist=Harbour$/);
  assert.match(await text('#summaries-count'), /2 found/);
  await page.fill('#search', 'lamps one');
  await titlesAre('Harbour one');
  assert.match(page.url(), /\?q=lamps\+one&playlist=Harbour$/);
  await page.reload();
  await titlesAre('Harbour one');
  assert.equal(await chosen(), 'Harbour (2)');
  await page.fill('#search', 'alone');
  await until(async () => /No summary matches/.test(await text('#summaries-empty')), 'what is not in it is not found');
  await page.selectOption('#playlist-filter', '');
  await titlesAre('Alone');
  await page.fill('#search', '');
  await titlesAre(...all);
  assert.equal(new URL(page.url()).search, '');
  assert.deepEqual(complaints, []);
});

test('a playlist is chosen by keyboard', { skip }, async () => {
  await playlist('Cape');
  await page.focus('#search');
  await page.keyboard.press('Tab');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'playlist-filter');
  assert.notEqual(await page.locator('#playlist-filter').evaluate((filter) => getComputedStyle(filter).outlineStyle), 'none');
  await page.keyboard.type('Cape');
  await titlesAre('Cape one', 'Cape two');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'playlist-filter');
  await page.keyboard.press('Home');
  await until(async () => (await titles()).length > 2, 'all of them again');
  assert.equal(await chosen(), 'All playlists');
});

test('a playlist whose last summary is deleted stays chosen until another choice is made', { skip }, async () => {
  await playlist('Reef');
  await page.selectOption('#playlist-filter', 'Reef');
  await titlesAre('Reef one', 'Reef two');
  for (const left of [1, 0]) {
    const first = page.locator('#summaries > li').first();
    if (!(await first.locator('details').evaluate((details) => details.open))) await first.locator('summary').click();
    const button = first.locator('button', { hasText: 'Delete' });
    await button.click();
    assert.equal(await button.innerText(), 'Delete it for everyone?');
    await button.click();
    await until(async () => (await titles()).length === left, `${left} left`);
    await until(async () => (await chosen()) === `Reef (${left})`, 'the choice says so');
  }
  assert.match(await text('#summaries-empty'), /No summary matches/);
  await until(async () => (await page.evaluate(() => document.activeElement.id)) === 'search', 'the focus has a place');
  await page.reload();
  await until(async () => /No summary matches/.test(await text('#summaries-empty')), 'a link to it shows none, and not all');
  assert.equal(await chosen(), 'Reef (0)');
  await page.focus('#playlist-filter');
  await page.keyboard.press('Home');
  await until(async () => !(await choices()).some((choice) => choice.startsWith('Reef')), 'it is no choice any more');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'playlist-filter');
  assert.deepEqual(complaints, []);
});
