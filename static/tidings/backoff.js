/**
 * How long to wait before the next attempt: 1, 2, 4, 8, 16 seconds, never more than 30.
 *
 * A little chance is added to each pause, because a server that restarts would otherwise get all
 * its clients back in the same millisecond.
 */

/**
 * @typedef {object} BackoffOptions
 * @property {number} [firstMs=1000] The pause after the first failure, in milliseconds; it doubles from there.
 * @property {number} [capMs=30000] The longest pause, in milliseconds.
 * @property {number} [attempts=5] How many failures in a row the stream may have before polling begins.
 * @property {number} [jitter=0.2] How much longer a pause may be by chance, as a share of it.
 */

/** @type {Required<BackoffOptions>} */
export const defaultBackoff = Object.freeze({ firstMs: 1000, capMs: 30_000, attempts: 5, jitter: 0.2 });

/**
 * The pause before attempt number `attempt`.
 *
 * @param {number} attempt 1 for the first attempt after a failure.
 * @param {Required<BackoffOptions>} backoff
 * @param {number} chance From 0 up to, but not including, 1.
 * @returns {number} Milliseconds.
 */
export function pauseBefore(attempt, backoff, chance) {
  const pause = Math.min(backoff.firstMs * 2 ** (attempt - 1), backoff.capMs);
  return Math.min(Math.round(pause * (1 + backoff.jitter * chance)), backoff.capMs);
}

/**
 * The pause an HTTP answer asks for.
 *
 * @param {string | null} header The value of `Retry-After`: seconds or a date.
 * @param {number} nowMs
 * @returns {number} Milliseconds; 0 if nothing sensible is asked for.
 */
export function retryAfter(header, nowMs) {
  if (!header) return 0;
  const seconds = Number(header);
  const pause = Number.isNaN(seconds) ? Date.parse(header) - nowMs : seconds * 1000;
  return Number.isFinite(pause) && pause > 0 ? pause : 0;
}
