/**
 * What somebody has typed or pasted as links: one a line, or several in a text. No page here.
 */

/** @typedef {{videos: string[], playlists: string[]}} Links */

const youTubeId = /^[\w-]{11}$/;

/** Whether an address is that of a list of videos, as far as can be seen. */
function isPlaylist(text) {
  return /youtube\.com\/(playlist\?|@[\w.-]+|channel\/|c\/|user\/)/i.test(text);
}

/**
 * The videos and playlists in a text, each once. What looks like neither is taken for a video: the server says
 * what is wrong with it.
 *
 * @param {string} text
 * @returns {Links}
 */
export function linksIn(text) {
  const found = { videos: new Set(), playlists: new Set() };
  for (const word of text.split(/[\s,;<>"]+/).filter(Boolean)) {
    const looksRight = /^https?:\/\//i.test(word) || youTubeId.test(word) || /^[\w-]+(\.[\w-]+)+\//.test(word);
    // Words around a link are no links; a line that has none is all that there is.
    if (!looksRight && /https?:\/\//i.test(text)) continue;
    found[isPlaylist(word) ? 'playlists' : 'videos'].add(word);
  }
  return { videos: [...found.videos], playlists: [...found.playlists] };
}

/**
 * The requests that ask for them: one for the videos, and one for each playlist.
 *
 * @param {Links} links
 * @param {{model?: string, language?: string}} manner
 * @returns {object[]}
 */
export function requestsFor({ videos, playlists }, manner) {
  const one = videos.length > 0 ? [{ videos, ...manner }] : [];
  return [...one, ...playlists.map((playlist) => ({ playlist, ...manner }))];
}
