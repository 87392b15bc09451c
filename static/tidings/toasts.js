/**
 * Short notices at the edge of the page. Each goes after five seconds, but not while somebody points
 * at it or has the focus in it; Escape or its button sends it away at once.
 */

import { browserEnvironment } from './environment.js';

/** @typedef {'success' | 'error' | 'warning' | 'info'} ToastType */

const signs = { success: '✓', error: '✕', warning: '!', info: 'i' };

export class Toasts {
  #environment;
  #durationMs;
  #limit;
  #regions;

  /**
   * @param {HTMLElement} [parent] Where they live in the document; their place on the screen is fixed.
   * @param {{durationMs?: number, limit?: number, environment?: Pick<import('./environment.js').Environment, 'after' | 'now'>}} [options]
   */
  constructor(parent = document.body, { durationMs = 5000, limit = 5, environment = browserEnvironment() } = {}) {
    this.#durationMs = durationMs;
    this.#limit = limit;
    this.#environment = environment;
    const stack = element('div', 'toasts');
    // A screen reader only announces what appears in a region that was there before.
    this.#regions = { polite: region('status'), urgent: region('alert') };
    stack.append(this.#regions.urgent, this.#regions.polite);
    parent.append(stack);
  }

  /**
   * Shows a notice.
   *
   * @param {{type?: ToastType, title: string, text?: string}} notice Plain text, whatever it contains.
   * @returns {() => void} Takes it away.
   */
  show({ type = 'info', title, text = '' }) {
    const urgent = type === 'error' || type === 'warning';
    const toast = toastElement(type, title, text);
    const dismiss = () => dismissed(toast);
    toast.querySelector('button').addEventListener('click', dismiss);
    toast.addEventListener('keydown', ({ key }) => key === 'Escape' && dismiss());
    this.#regions[urgent ? 'urgent' : 'polite'].append(toast);
    this.#retireOldest();
    expireUnwatched(toast, this.#durationMs, this.#environment, dismiss);
    return dismiss;
  }

  /**
   * Shows what the built-in events say.
   *
   * @param {import('../tidings.js').Tidings} tidings
   */
  follow(tidings) {
    tidings.on('summary_complete', ({ data }) => {
      const text = data.source === 'cache' ? 'It was summarized before.' : '';
      this.show({ type: 'success', title: `“${data.title}” is ready`, text });
    });
    tidings.on('system', ({ data }) => {
      // That a summary was stored is no news beside the summary.
      if (data.cache && data.type === 'info') return;
      const type = data.type in signs ? data.type : data.type === 'refused' ? 'warning' : 'info';
      this.show({ type, title: String(data.message ?? data.reason ?? 'A message from the server') });
    });
    tidings.on('gap', () => {
      this.show({ type: 'warning', title: 'Some events were missed', text: 'They are older than what the server keeps.' });
    });
  }

  #retireOldest() {
    const toasts = [...this.#regions.urgent.children, ...this.#regions.polite.children];
    toasts.sort((one, other) => one.dataset.number - other.dataset.number);
    for (const toast of toasts.slice(0, Math.max(0, toasts.length - this.#limit))) dismissed(toast);
  }
}

let count = 0;

function toastElement(type, title, text) {
  const toast = element('div', 'toast');
  toast.dataset.type = type;
  toast.dataset.number = String((count += 1));
  const sign = element('span', 'toast-sign', signs[type]);
  sign.setAttribute('aria-hidden', 'true');
  const words = element('div', 'toast-words');
  words.append(element('strong', '', title));
  if (text) words.append(element('span', '', text));
  const close = element('button', 'toast-close', '×');
  close.type = 'button';
  close.setAttribute('aria-label', `Dismiss: ${title}`);
  toast.append(sign, words, close);
  return toast;
}

/** Counts down only while nobody is at it; what was left counts on afterwards. */
function expireUnwatched(toast, durationMs, { after, now }, dismiss) {
  let left = durationMs;
  let began = now();
  let cancel = after(left, dismiss);
  const watched = () => toast.matches(':hover') || toast.contains(document.activeElement);
  const pause = () => {
    cancel();
    left = Math.max(0, left - (now() - began));
    began = now();
  };
  const resume = () => {
    cancel();
    began = now();
    if (!watched()) cancel = after(Math.max(left, 1000), dismiss);
  };
  toast.addEventListener('pointerenter', pause);
  toast.addEventListener('focusin', pause);
  // The focus has moved only after this event; ask a moment later.
  for (const end of ['pointerleave', 'focusout']) toast.addEventListener(end, () => queueMicrotask(resume));
}

function dismissed(toast) {
  const hadFocus = toast.contains(document.activeElement);
  const next = toast.nextElementSibling ?? toast.previousElementSibling;
  toast.remove();
  if (hadFocus) next?.querySelector('button').focus();
}

function region(role) {
  const list = element('div', 'toast-region');
  list.setAttribute('role', role);
  return list;
}

function element(tag, className, text = '') {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.textContent = text;
  return made;
}
