/**
 * Making and finding elements. What comes from outside only ever becomes text, never markup.
 */

/**
 * The element with this id. Throws if the template has none: script and template belong together.
 *
 * @param {string} id
 * @returns {any}
 */
export function byId(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no element #${id}`);
  return found;
}

/**
 * Makes an element.
 *
 * @param {string} tag
 * @param {Record<string, any>} [properties] Properties of the element; `data` are its data attributes,
 *   `aria` its aria attributes, `on` its listeners.
 * @param {...(Node | string | number | null)} children Text stays text.
 * @returns {any}
 */
export function make(tag, { data = {}, aria = {}, on = {}, ...properties } = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  Object.assign(element.dataset, data);
  for (const [name, value] of Object.entries(aria)) element.setAttribute(`aria-${name}`, value);
  for (const [name, listener] of Object.entries(on)) element.addEventListener(name, listener);
  element.append(...children.filter((child) => child !== null).map((child) => (typeof child === 'number' ? String(child) : child)));
  return element;
}

/** Marks a form's field as wrong, or as right with an empty message. Its message is at `#<id>-error`. */
export function complain(field, message) {
  byId(`${field.id}-error`).textContent = message;
  if (message) field.setAttribute('aria-invalid', 'true');
  else field.removeAttribute('aria-invalid');
}
