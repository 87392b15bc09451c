/**
 * Requests that either bring what was asked for or a problem that can be shown.
 */

/** What a server or a network had against a request; the fields are RFC 9457's, with a stable `code`. */
export class Problem extends Error {
  /** @param {{status?: number, title: string, detail?: string, code?: string, field?: string}} said */
  constructor({ status, title, detail, code, field }) {
    super(detail ? `${title}: ${detail}` : title);
    Object.assign(this, { status, title, detail, code, field });
  }
}

/**
 * Asks for JSON.
 *
 * @param {string} url
 * @param {RequestInit} [options]
 * @returns {Promise<any>} The answer; null if it has no body.
 * @throws {Problem}
 */
export async function requestJson(url, options = {}) {
  const response = await fetch(url, { cache: 'no-store', ...options }).catch(() => {
    throw new Problem({ title: 'The server cannot be reached', code: 'unreachable' });
  });
  const body = await response.json().catch(() => null);
  if (response.ok) return body;
  const fallback = `The server answered ${response.status} ${response.statusText}`.trim();
  throw new Problem({ title: fallback, ...body, status: response.status });
}

/** The options of a POST with a JSON text. */
export function posting(body) {
  return { method: 'POST', headers: { 'content-type': 'application/json' }, body };
}
