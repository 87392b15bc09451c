/**
 * What the client needs of the world: a clock, timers, the network, and the page's own news.
 *
 * Everything that differs between a browser, a worker and a test is in this one object, so a test
 * can run minutes of backoff in a moment and the test page can pretend to be offline.
 */

/**
 * @typedef {object} Environment
 * @property {typeof EventSource} EventSource
 * @property {typeof fetch} fetch
 * @property {() => number} now Milliseconds since 1970.
 * @property {(ms: number, action: () => void) => () => void} after Runs `action` once, later; returns what cancels it.
 * @property {() => number} random From 0 up to, but not including, 1.
 * @property {() => boolean} isOnline Whether the browser believes it has a network.
 * @property {() => boolean} isHidden Whether nobody can see the page.
 * @property {(name: PageNews, action: () => void) => () => void} on Listens for the page's news; returns what stops it.
 */

/** @typedef {'online' | 'offline' | 'visible' | 'hidden' | 'leave' | 'return'} PageNews */

/**
 * The environment of a page or a worker.
 *
 * @param {typeof globalThis} [scope]
 * @returns {Environment}
 */
export function browserEnvironment(scope = globalThis) {
  return {
    EventSource: scope.EventSource,
    fetch: (...request) => scope.fetch(...request),
    now: () => Date.now(),
    after(ms, action) {
      // Browsers keep the delay in 32 bits; a longer one would fire at once.
      const timer = scope.setTimeout(action, Math.min(ms, 2 ** 31 - 1));
      return () => scope.clearTimeout(timer);
    },
    random: Math.random,
    isOnline: () => scope.navigator?.onLine !== false,
    isHidden: () => scope.document?.visibilityState === 'hidden',
    on: (name, action) => listen(scope, name, action),
  };
}

/** Translates the browser's many events into the few the client cares about. */
function listen(scope, name, action) {
  const [target, event, wanted] = {
    online: [scope, 'online', () => true],
    offline: [scope, 'offline', () => true],
    visible: [scope.document, 'visibilitychange', () => scope.document.visibilityState === 'visible'],
    hidden: [scope.document, 'visibilitychange', () => scope.document.visibilityState === 'hidden'],
    // A page in the back/forward cache must hold no connection, and wants it back when it returns.
    leave: [scope, 'pagehide', () => true],
    return: [scope, 'pageshow', (shown) => shown.persisted],
  }[name];
  if (!target?.addEventListener) return () => {};
  const listener = (happened) => wanted(happened) && action();
  target.addEventListener(event, listener);
  return () => target.removeEventListener(event, listener);
}
