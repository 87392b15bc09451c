/**
 * Asks before something is destroyed. Escape and the other button both keep it.
 */

import { byId } from '../page/dom.js';

/**
 * @param {{title: string, text: string, action: string}} question `action` stands on the button.
 * @returns {Promise<boolean>} Whether it is really wanted.
 */
export function ask({ title, text, action }) {
  const dialog = byId('confirm');
  byId('confirm-title').textContent = title;
  byId('confirm-text').textContent = text;
  byId('confirm-yes').textContent = action;
  dialog.returnValue = '';
  dialog.showModal();
  byId('confirm-no').focus();
  return new Promise((answer) => {
    dialog.addEventListener('close', () => answer(dialog.returnValue === 'yes'), { once: true });
  });
}
