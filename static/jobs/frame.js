/**
 * Shows what has changed, once for each picture of the screen.
 *
 * News may come thousands of times a second. What nobody could see is not drawn: of all the news of a
 * thing between two pictures only how it is then is shown, and nothing while the page is hidden.
 */
export class Frame {
  #changed = new Set();
  #planned = false;

  /** @param {{show: () => void}} thing Its `show` is called before the next picture. */
  ask(thing) {
    this.#changed.add(thing);
    if (this.#planned) return;
    this.#planned = true;
    requestAnimationFrame(() => this.#draw());
  }

  #draw() {
    this.#planned = false;
    const changed = [...this.#changed];
    this.#changed.clear();
    for (const thing of changed) thing.show();
  }
}
