/**
 * Chromium for the tests: Debian's, or the one named by CHROMIUM.
 */

import { chromium } from 'playwright-core';

const flags = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync',
];

export function launch() {
  return chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', headless: true, args: flags });
}

/**
 * A page that remembers everything a well-behaved page would not do: errors on the console, uncaught
 * exceptions, breaches of its Content-Security-Policy.
 *
 * @param {import('playwright-core').Browser} browser
 * @param {import('playwright-core').BrowserContextOptions} [options]
 */
export async function watchedPage(browser, options = {}) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  const complaints = [];
  page.on('console', (said) => said.type() === 'error' && complaints.push(said.text()));
  page.on('pageerror', (error) => complaints.push(String(error)));
  await page.addInitScript(() => {
    document.addEventListener('securitypolicyviolation', (breach) => console.error(`CSP: ${breach.violatedDirective} ${breach.blockedURI}`));
  });
  return { page, context, complaints };
}

/**
 * Waits until `look` returns something true, and returns it.
 *
 * @template T
 * @param {() => T | Promise<T>} look
 * @param {string} what For the message when it never does.
 * @param {number} [limitMs]
 * @returns {Promise<T>}
 */
export async function until(look, what, limitMs = 10_000) {
  const end = Date.now() + limitMs;
  for (;;) {
    const seen = await look();
    if (seen) return seen;
    if (Date.now() > end) throw new Error(`never happened: ${what}`);
    await new Promise((resume) => setTimeout(resume, 20));
  }
}

/** What a test looks at on the test page; `page` gives the present one. */
export function testPage(page) {
  const text = (selector) => page().locator(selector).innerText();
  const rows = (type) => page().locator(type ? `#log-rows > li[data-type="${type}"]` : '#log-rows > li');
  return {
    text,
    stateIs: (state) => until(async () => (await text('#connection-state')) === state, `state ${state}`),
    rows,
    rowsAre: (count, type) => until(async () => (await rows(type).count()) === count, `${count} rows of ${type ?? 'any type'}`),
  };
}
