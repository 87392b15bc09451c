/**
 * The summarizer's page in Chromium, against the real server.
 */

import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { launch, until, watchedPage } from './support/browser.js';
import { Proxy } from './support/proxy.js';
import { TidingsServer } from './support/tidings-server.js';

let browser;
let server;
let proxy;
let page;
let context;
let complaints;

before(async () => {
  [browser, server] = await Promise.all([launch(), new TidingsServer().start('--summary-workers', '1')]);
});
after(async () => {
  await browser.close();
  await server.stop();
});

beforeEach(async () => {
  proxy = await new Proxy(server.port).start();
  ({ page, context, complaints } = await watchedPage(browser));
  await page.goto(`${proxy.origin}/`);
  await until(async () => /Connected/.test(await text('#status-dot')), 'connected');
});
afterEach(async () => {
  await context.close();
  proxy.stop();
});

const text = (selector) => page.locator(selector).innerText();
const summaries = () => page.locator('#summaries > li');
const summariesAre = (count, limitMs = 20_000) => until(async () => (await summaries().count()) === count, `${count} summaries`, limitMs);

const file = (name, content) => ({ name, mimeType: 'text/plain', buffer: Buffer.from(content) });

/** A talk of so many sentences, each with words of its own. */
function talk(sentences) {
  const subjects = ['harbour', 'lighthouse', 'captain', 'storm', 'cargo', 'compass', 'signal', 'anchor'];
  return Array.from({ length: sentences }, (_, n) => {
    const [one, other] = [subjects[n % 8], subjects[(n * 3 + 1) % 8]];
    return `In chapter ${n} the ${one} and the ${other} are considered together with ${n * 7} other things.`;
  }).join(' ');
}

test('it begins empty, connected and without a complaint', async () => {
  assert.match(await text('#summaries-empty'), /No summaries yet/);
  assert.equal(await page.locator('#work').isVisible(), false);
  assert.equal(await page.locator('#summaries-loading').isVisible(), false);
  assert.deepEqual(complaints, []);
});

test('a first visit is given its session by the page, before it can ask for anything', async () => {
  const first = await fetch(`${server.origin}/`);
  const cookie = first.headers.get('set-cookie');
  assert.match(cookie, /^sid=\S+;.*HttpOnly/);
  assert.match(first.headers.get('cache-control'), /private/);
  const second = await fetch(`${server.origin}/sse-test`, { headers: { cookie: cookie.split(';')[0] } });
  assert.equal(second.headers.get('set-cookie'), null);
});

test('the sample becomes a summary with times, while one watches', async () => {
  await page.click('#sample');
  assert.match(await text('#text-hint'), /words, read as WebVTT/);
  await page.click('#submit');
  await summariesAre(1);
  const summary = summaries().first();
  assert.match(await summary.innerText(), /The Gettysburg Address/);
  await until(async () => (await summary.locator('.sentences .said').count()) > 0, 'its sentences, opened by themselves');
  const times = await summary.locator('.time').allInnerTexts();
  assert.ok(times.every((time) => /^\d:\d\d$/.test(time)), times.join());
  assert.match(await page.locator('.toasts').innerText(), /“The Gettysburg Address” is ready/);
  assert.equal(await page.inputValue('#text'), '');
  await until(async () => !(await page.locator('#work').isVisible()), 'the finished work goes by itself');
  assert.deepEqual(complaints, []);
});

test('several files are one batch; one that fails does not keep the others', async () => {
  await page.setInputFiles('#files', [file('sea_story.txt', talk(40)), file('broken.srt', 'not a caption at all'), file('short.txt', talk(12))]);
  await until(async () => (await page.locator('#attached li').count()) === 3, 'three files');
  assert.match(await text('#submit'), /Summarize 3 talks/);
  await page.click('#submit');
  await summariesAre(2);
  const items = page.locator('.batch-items li');
  await until(async () => (await items.locator('.badge').allInnerTexts()).join() === 'ready,failed,ready', 'two ready, one failed');
  assert.ok((await items.nth(1).locator('.why').innerText()).length > 5);
  assert.match(await page.locator('.batch h3').innerText(), /2 of 3 summarized/);
  await page.click('.batch button');
  assert.equal(await page.locator('#work').isVisible(), false);
});

test('files may be dropped', async () => {
  await page.evaluate(() => {
    const files = new DataTransfer();
    files.items.add(new File(['The ship left the harbour. Nobody saw it again.'], 'lost ship.txt'));
    document.getElementById('drop').dispatchEvent(new DragEvent('drop', { dataTransfer: files, bubbles: true, cancelable: true }));
  });
  await until(async () => /lost ship/.test(await text('#attached')), 'the dropped file');
  await page.click('#attached button');
  assert.equal(await page.locator('#attached').isVisible(), false);
});

test('what is no transcript is not taken, and the page says why', async () => {
  await page.setInputFiles('#files', [file('picture.txt', '\0\0\0'), file('empty.txt', ' \n ')]);
  await until(async () => /picture.txt: there are no words in it · empty.txt/.test(await text('#composer-problem')), 'both refused');
  await page.click('#submit');
  assert.match(await text('#text-error'), /Paste a link or a transcript/);
  assert.equal(await page.evaluate(() => document.activeElement.id), 'text');
});

test('markup in titles and transcripts stays text', async () => {
  await page.fill('#title', '<img src=x onerror=alert(1)>');
  await page.fill('#text', `The <b>bold</b> ship left the harbour. ${talk(8)}`);
  await page.click('#submit');
  await summariesAre(1);
  assert.match(await summaries().first().innerText(), /<img src=x onerror=alert\(1\)>/);
  assert.equal(await page.locator('#summaries img, #summaries b, .toasts img').count(), 0);
  assert.deepEqual(complaints, []);
});

test('the list survives a reload, can be searched, and is nobody else’s', async () => {
  for (const [title, size] of [['Of whales', 10], ['Of ships', 11]]) {
    await page.fill('#title', title);
    await page.fill('#text', talk(size));
    await page.click('#submit');
    await until(async () => (await page.inputValue('#text')) === '', 'taken');
  }
  await summariesAre(2);
  await page.reload();
  await summariesAre(2);
  await page.fill('#search', 'whale');
  await until(async () => (await page.locator('#summaries > li:visible').count()) === 1, 'only the whales');
  await page.fill('#search', 'nothing like it');
  await until(async () => /No summary matches/.test(await text('#summaries-empty')), 'nothing matches');
  const other = await watchedPage(browser);
  await other.page.goto(`${proxy.origin}/`);
  await until(async () => /No summaries yet/.test(await other.page.locator('#summaries-empty').innerText()), 'another session sees none');
  await other.context.close();
});

test('a playlist with a long name leaves the title its room', async () => {
  await page.route(/\/api\/v1\/summaries\?/, async (route) => {
    const response = await route.fetch();
    const body = await response.json();
    for (const summary of body.summaries) summary.playlist = 'Talks of the harbour and of the lighthouse keepers’ guild, all years';
    await route.fulfill({ response, json: body });
  });
  await page.fill('#title', 'On lamps, on ships, and on those who look for them in the dark of a northern winter night');
  await page.fill('#text', talk(8));
  await page.click('#submit');
  await summariesAre(1);
  for (const width of [1280, 1000, 700, 360]) {
    await page.setViewportSize({ width, height: 800 });
    const [title, room] = await page.evaluate(() => ['#summaries h3', '#summaries summary'].map((one) => document.querySelector(one).offsetWidth));
    assert.ok(title > room / 2, `at ${width} px the title has ${title} of ${room} px`);
  }
});

test('times of hours do not run into what was said, on a phone either', async () => {
  await page.fill('#text', 'WEBVTT\n\n00:01.000 --> 00:04.000\nThe harbour needs a lamp.\n\n1:02:10.000 --> 1:02:14.000\nEvery ship looks for the lamp.\n');
  await page.click('#submit');
  await until(async () => (await page.locator('.said').count()) === 2, 'two sentences');
  for (const width of [1280, 360]) {
    await page.setViewportSize({ width, height: 800 });
    const places = await page.locator('.sentences li').evaluateAll((items) => items.map((item) => [item.querySelector('a').getBoundingClientRect().right, item.querySelector('.said').getBoundingClientRect().left]));
    for (const [end, begin] of places) assert.ok(begin - end >= 5, `at ${width} px a time ends at ${end}, and its sentence begins at ${begin}`);
  }
});

test('a batch of which something failed is not shown as if all were well', async () => {
  const colour = () => page.locator('.batch .progress-bar progress').first().evaluate((bar) => getComputedStyle(bar).color);
  const colours = [];
  for (const files of [[file('good.txt', talk(5))], [file('also.txt', talk(6)), file('bad.srt', 'none')], [file('worse.srt', 'none')]]) {
    await page.setInputFiles('#files', files);
    await until(async () => (await page.locator('#attached li').count()) === files.length, 'chosen');
    await page.click('#submit');
    await until(async () => /summarized/.test(await page.locator('.batch h3').first().innerText()), 'over');
    colours.push(await colour());
  }
  assert.equal(new Set(colours).size, 3, colours.join());
});

/** Gives the server's workers more to do, in another session, than they can finish in a second. */
async function keepBusy() {
  const long = talk(9000);
  await Promise.all(Array.from({ length: 60 }, (_, n) => fetch(`${server.origin}/api/v1/summaries`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    // Each is another talk: what was summarized before costs nothing.
    body: JSON.stringify({ transcripts: [{ title: 'Long', text: `${long} ${n} ships.` }] }),
  })));
}

test('a batch can be cancelled', async () => {
  const files = Array.from({ length: 25 }, (_, n) => file(`talk ${n}.txt`, talk(350 + n)));
  await page.setInputFiles('#files', files);
  await until(async () => /Summarize 25/.test(await text('#submit')), 'twenty-five files');
  await keepBusy();
  await page.click('#submit');
  await page.locator('.batch button', { hasText: 'Cancel' }).click();
  await until(async () => /Cancelled after \d+ of 25/.test(await text('.batch h3')), 'cancelled');
  const badges = await page.locator('.batch-items .badge').allInnerTexts();
  assert.ok(badges.includes('cancelled'), badges.join());
  assert.ok(badges.every((word) => ['ready', 'cancelled'].includes(word)), badges.join());
});

test('summaries that were finished while the connection was lost are there when it is back', async () => {
  await page.setInputFiles('#files', [file('one.txt', talk(300)), file('two.txt', talk(310))]);
  await until(async () => /Summarize 2/.test(await text('#submit')), 'two files');
  const accepted = page.waitForResponse((response) => response.request().method() === 'POST');
  await page.click('#submit');
  await accepted;
  proxy.sever();
  await until(async () => /trying again|reconnecting|Disconnected/.test(await text('#connection-notice').catch(() => '')), 'a notice', 20_000);
  proxy.mend();
  // The client's longest pause between two tries is 16 s, and it may just have begun.
  await summariesAre(2, 40_000);
  await until(async () => !(await page.locator('#connection-notice').isVisible()), 'the notice goes', 30_000);
});

test('a list that cannot be had says so and can be asked for again', async () => {
  await page.route(/\/api\/v1\/summaries(\?|$)/, (route) => route.fulfill({ status: 503, contentType: 'application/problem+json', body: '{"status":503,"title":"Busy","detail":"try again"}' }));
  await page.reload();
  await until(async () => /Busy: try again/.test(await text('#summaries-problem-text')), 'the problem');
  await page.fill('#text', talk(5));
  await page.click('#submit');
  await until(async () => /Busy/.test(await text('#composer-problem')), 'the problem at the form');
  assert.notEqual(await page.inputValue('#text'), '', 'what was typed is kept');
  await page.unroute(/\/api\/v1\/summaries(\?|$)/);
  await page.click('#summaries-retry');
  await until(async () => !(await page.locator('#summaries-problem').isVisible()), 'the problem goes');
});

test('offline is said in words', async () => {
  await context.setOffline(true);
  proxy.cut();
  await until(async () => /Offline/.test(await text('#status-dot')), 'offline', 20_000);
  await context.setOffline(false);
  await until(async () => /Connected/.test(await text('#status-dot')), 'online', 20_000);
});
