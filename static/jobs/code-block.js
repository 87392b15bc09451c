/**
 * A value as indented JSON, or a text as it is, under a heading that folds it.
 */

import { make } from '../page/dom.js';

/** More is no reading matter, and would hold the page up. */
const MAX_LENGTH = 20_000;

/**
 * @param {string} title
 * @param {unknown} value
 */
export function codeBlock(title, value) {
  const text = typeof value === 'string' ? value : JSON.stringify(value, null, 2);
  const shown = text.length > MAX_LENGTH ? `${text.slice(0, MAX_LENGTH)}…` : text;
  const block = make('pre', { tabIndex: 0 }, shown);
  block.setAttribute('role', 'region');
  block.setAttribute('aria-label', title);
  return make('details', { open: true, className: 'code-block' }, make('summary', {}, make('h3', {}, title)), block);
}
