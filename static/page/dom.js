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

/** Sets an element's text if it is another one: what does not change is not drawn, nor read out, again. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Puts elements in order without touching those that are in place: a moved element loses its focus. */
export function arrange(list, elements) {
  const kept = new Set(elements);
  for (const old of [...list.children]) if (!kept.has(old)) old.remove();
  elements.forEach((element, index) => {
    if (list.children[index] !== element) list.insertBefore(element, list.children[index] ?? null);
  });
}

/** Disables a button while something goes on. A disabled button loses the focus: it gets it back, unless that went elsewhere. */
export async function whileBusy(button, work) {
  const hadFocus = button === document.activeElement;
  button.disabled = true;
  try {
    return await work();
  } finally {
    button.disabled = false;
    if (hadFocus && document.activeElement === document.body) button.focus({ preventScroll: true });
  }
}

/** Marks a form's field as wrong, or as right with an empty message. Its message is at `#<id>-error`. */
export function complain(field, message) {
  byId(`${field.id}-error`).textContent = message;
  if (message) field.setAttribute('aria-invalid', 'true');
  else field.removeAttribute('aria-invalid');
}
