/**
 * Who wants to hear of what.
 *
 * A handler that throws must not keep the news from the others.
 */
export class Handlers {
  #byType = new Map();

  /**
   * @param {string} type `'*'` for every type.
   * @param {(news: any) => void} handler
   * @returns {() => void} Stops it.
   */
  on(type, handler) {
    const handlers = this.#byType.get(type) ?? new Set();
    this.#byType.set(type, handlers.add(handler));
    return () => handlers.delete(handler);
  }

  /**
   * @param {string} type
   * @param {unknown} news
   */
  tell(type, news) {
    for (const key of [type, '*']) {
      for (const handler of [...(this.#byType.get(key) ?? [])]) guarded(handler, news);
    }
  }
}

/** Runs it; what it throws goes where uncaught errors go. */
export function guarded(handler, news) {
  try {
    handler(news);
  } catch (error) {
    if (typeof reportError === 'function') reportError(error);
    else console.error(error);
  }
}
