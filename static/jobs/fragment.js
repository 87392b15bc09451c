/**
 * The part of the address behind the `#`: what is open. So a job can be linked, and the way back closes it.
 */

/** @typedef {{kind: 'job' | 'batch', id: string} | null} Shown */

/** @returns {Shown} What a fragment names. */
export function read(fragment) {
  const match = /^#(job|batch)=(.+)$/.exec(fragment);
  if (!match) return null;
  try {
    return { kind: match[1], id: decodeURIComponent(match[2]) };
  } catch {
    return null;
  }
}

/** The link to one. */
export const linkTo = (kind, id) => `#${kind}=${encodeURIComponent(id)}`;

/** Takes the fragment away without moving the page. */
export function clear() {
  if (location.hash) history.pushState(null, '', location.pathname + location.search);
}
