/**
 * What a transcript is, from a file or from the clipboard, before the server sees it. No page here.
 */

/** What one transcript may have, in bytes, unless the server was told otherwise. */
export const TRANSCRIPT_BYTES = 4 * 1024 * 1024;

/** What one request carries, in bytes: half of what the server takes, and room for any one transcript. */
export const REQUEST_BYTES = 8 * 1024 * 1024;

/** How many transcripts one request may carry. */
export const REQUEST_TRANSCRIPTS = 50;

/** What stands around the transcripts in a request. */
const FRAME_BYTES = '{"transcripts":[]}'.length;

/** @typedef {'text' | 'vtt' | 'srt'} Kind */
/** @typedef {{title: string, kind: Kind, content: string}} Transcript */

/**
 * What kind of text it is, by what it looks like: people paste captions without knowing their name.
 *
 * @param {string} content
 * @returns {Kind}
 */
export function kindOf(content) {
  if (/^\uFEFF?WEBVTT(?:\s|$)/.test(content)) return 'vtt';
  return /^\uFEFF?\s*\d+\s*\r?\n\d+:\d{2}:\d{2}[,.]\d{1,3}\s*-->/.test(content) ? 'srt' : 'text';
}

/**
 * A file's text: in the encoding that it names, in UTF-8, or as older programs wrote it.
 *
 * @param {ArrayBuffer} bytes
 * @returns {string}
 */
export function decoded(bytes) {
  const [first, second] = new Uint8Array(bytes);
  if (first === 0xff && second === 0xfe) return new TextDecoder('utf-16le').decode(bytes);
  if (first === 0xfe && second === 0xff) return new TextDecoder('utf-16be').decode(bytes);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return new TextDecoder('windows-1252').decode(bytes);
  }
}

/**
 * @param {string} fileName
 * @param {string} content
 * @returns {Transcript}
 */
export function fromFile(fileName, content) {
  const title = fileName.replace(/\.[^.]+$/, '').replace(/[_\s]+/g, ' ').trim();
  const kind = { vtt: 'vtt', srt: 'srt' }[fileName.split('.').at(-1).toLowerCase()] ?? kindOf(content);
  return { title: title || 'Untitled', kind, content };
}

/**
 * @param {string} title
 * @param {string} content
 * @returns {Transcript}
 */
export function fromPaste(title, content) {
  return { title: title.trim() || firstWords(content), kind: kindOf(content), content };
}

/** A title for what has none: the first words that somebody said. */
function firstWords(content) {
  const spoken = content.split(/\r?\n/).find((line) => /\p{L}{2}/u.test(line) && !/-->|^WEBVTT|^NOTE/.test(line)) ?? '';
  const words = spoken.replace(/<[^>]*>/g, '').trim().split(/\s+/);
  const start = words.slice(0, 7).join(' ').slice(0, 80);
  return start ? `${start}${words.length > 7 ? '…' : ''}` : 'Untitled';
}

/** Words in what was said; times and markers are not words. */
export function wordsIn(content) {
  return content.match(/\p{L}[\p{L}\p{M}'’-]*/gu)?.length ?? 0;
}

/** As the server wants it. */
export function asRequest({ title, kind, content }) {
  return { title, [kind]: content };
}

/**
 * Divides transcripts into as few requests as they fit in, keeping their order.
 *
 * @param {Transcript[]} transcripts Each fits by itself: see {@link tooLarge}.
 * @param {{model?: string, language?: string}} [manner] How they are to be summarized.
 * @param {number} [limit] Bytes.
 * @returns {string[]} The bodies.
 */
export function bodies(transcripts, manner = {}, limit = REQUEST_BYTES) {
  const rest = Object.keys(manner).length > 0 ? `,${JSON.stringify(manner).slice(1, -1)}` : '';
  const batches = [];
  let room = 0;
  for (const transcript of transcripts) {
    const text = JSON.stringify(asRequest(transcript));
    // With the comma before it; the first has none, so it has one byte more room.
    const size = bytesOf(text) + 1;
    if (size > room || batches.at(-1).length >= REQUEST_TRANSCRIPTS) {
      batches.push([]);
      room = limit - FRAME_BYTES - bytesOf(rest) + 1;
    }
    batches.at(-1).push(text);
    room -= size;
  }
  return batches.map((texts) => `{"transcripts":[${texts.join(',')}]${rest}}`);
}

/** Whether a transcript is more than the server takes, or alone more than a request carries. */
export function tooLarge(transcript, limit = REQUEST_BYTES) {
  if (bytesOf(transcript.content) > TRANSCRIPT_BYTES) return true;
  return bytesOf(JSON.stringify(asRequest(transcript))) > limit - FRAME_BYTES;
}

const bytesOf = (text) => new TextEncoder().encode(text).length;
