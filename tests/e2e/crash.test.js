/**
 * The browser's own EventSource while the server is killed, again and again, in the middle of a stream of
 * events whose publisher waits until each is on disk.
 */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { launch, until, watchedPage } from './support/browser.js';
import { Proxy } from './support/proxy.js';
import { TidingsServer } from './support/tidings-server.js';

const EVENTS = 600;
const CRASHES_AT = [90, 230, 400];
const FLAGS = ['--event-types', 'order', '--retry-ms', '100', '--drain-seconds', '1'];

let browser;
before(async () => {
  browser = await launch();
});
after(() => browser.close());

/** Publishes under a key until it is acknowledged; the event's id, and whether a try before was not. */
async function publishStubbornly(server, number) {
  for (let tries = 1; ; tries += 1) {
    try {
      const answer = await server.broadcast({ event_type: 'order', data: number, durable: true, event_id: `order ${number}` });
      assert.equal(answer.stored, true);
      return { id: answer.event_id, wasUnsure: tries > 1 };
    } catch (error) {
      if (error instanceof assert.AssertionError || tries > 500) throw error;
      await new Promise((resume) => setTimeout(resume, 20));
    }
  }
}

test('through kill -9 a page gets every acknowledged event once and in order, and no false alarm', async () => {
  const server = await new TidingsServer().start(...FLAGS);
  const proxy = await new Proxy(server.port).start();
  const { page, context } = await watchedPage(browser);
  try {
    await page.goto(`${proxy.origin}/health`);
    await page.evaluate(() => {
      window.got = [];
      window.opened = 0;
      window.source = new EventSource('/events?subscribe=order');
      window.source.addEventListener('connected', () => (window.opened += 1));
      window.source.addEventListener('gap', (event) => window.got.push({ gap: event.data }));
      window.source.addEventListener('order', (event) => {
        window.got.push({ id: event.lastEventId, number: JSON.parse(event.data) });
      });
    });
    const opened = (count) => until(() => page.evaluate((least) => window.opened >= least, count), `${count} connections`, 30_000);
    await opened(1);
    const published = [];
    let crash = Promise.resolve();
    for (let number = 0; number < EVENTS; number += 1) {
      if (CRASHES_AT.includes(number)) {
        await opened(CRASHES_AT.indexOf(number) + 1);
        // Published on meanwhile: some requests break, and are tried again.
        crash = server.crash(...FLAGS).then(() => (proxy.target = server.port));
      }
      published.push({ number, ...(await publishStubbornly(server, number)) });
    }
    await crash;
    const last = published.at(-1).id;
    await until(() => page.evaluate((id) => window.got.some((event) => event.id === id), last), 'the last event', 30_000);
    await opened(CRASHES_AT.length + 1);

    const got = await page.evaluate(() => window.got);
    assert.deepEqual(got.filter((event) => event.gap), []);
    const acknowledged = new Set(published.map((event) => event.id));
    assert.deepEqual(
      got.filter((event) => acknowledged.has(event.id)),
      published.map(({ id, number }) => ({ id, number })),
    );
    // What a crash took before its publisher was answered may have been seen before it came again.
    const unsure = new Set(published.filter((event) => event.wasUnsure).map((event) => event.number));
    const others = got.filter((event) => !acknowledged.has(event.id));
    assert.deepEqual(others.filter((event) => !unsure.has(event.number)), []);
  } finally {
    await context.close();
    proxy.stop();
    await server.stop();
  }
});
