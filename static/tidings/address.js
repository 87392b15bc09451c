/**
 * Where to ask: the door's URL with the filters and the resume point.
 *
 * @param {{url: string, subscribe?: string[], session?: string}} door
 * @param {string} path What follows the door's own path, such as `/poll`.
 * @param {Record<string, string | null>} [query] More to ask; what is empty is left out.
 */
export function address({ url, subscribe, session }, path = '', query = {}) {
  const [base, ...rest] = url.split('?');
  const search = new URLSearchParams(rest.join('?'));
  const all = { subscribe: subscribe?.join(','), session_id: session, ...query };
  for (const [name, value] of Object.entries(all)) if (value) search.set(name, value);
  // A comma may stand in a query as it is, and people read these lines in logs.
  const text = search.toString().replaceAll('%2C', ',');
  return `${base}${path}${text && '?'}${text}`;
}
