/**
 * How long things may take, in milliseconds; the client's every wait has its limit here.
 *
 * @typedef {object} Timings
 * @property {number} openingMs From the attempt to the greeting. A proxy that holds the stream back shows here.
 * @property {number} reopeningMs The same when the browser reconnects by itself, which includes the server's `retry:`.
 * @property {number} silenceMs Without a heartbeat or an event the stream counts as dead: two and a half heartbeats.
 * @property {number} stableMs A stream that lived this long makes up for the failures before it.
 * @property {number} pollMs One long poll: the server's 25 s, and the way there and back.
 * @property {number} pollPauseMs Between an answer and the next question.
 * @property {number} returnMs From the begin of polling, or the last try, to a new try with a stream.
 * @property {number} hiddenMs How long nobody may see the page before it gives its connection back, to resume when it is
 *   seen again; 0 keeps it. Over HTTP/1.1 a browser has six connections for all its tabs together.
 */

/** @type {Timings} */
export const defaultTimings = Object.freeze({
  openingMs: 15_000,
  reopeningMs: 45_000,
  silenceMs: 75_000,
  stableMs: 5_000,
  pollMs: 40_000,
  pollPauseMs: 100,
  returnMs: 60_000,
  hiddenMs: 0,
});
