/** What names may look like; the server has the last word, these are to spare a round trip. */

/** A letter, then at most 63 of `A-Z a-z 0-9 _ . : -`. */
export const isEventName = (text) => /^[A-Za-z][A-Za-z0-9_.:-]{0,63}$/.test(text);

/** 1–128 of `A-Z a-z 0-9 _ . : @ -`. */
export const isSessionId = (text) => /^[A-Za-z0-9_.:@-]{1,128}$/.test(text);

/** The names in a list with commas or spaces between them. */
export const namesIn = (text) => text.split(/[\s,]+/).filter(Boolean);
