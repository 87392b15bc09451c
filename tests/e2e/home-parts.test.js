/**
 * The parts of the summarizer's page that know no page: what a transcript is, what a batch is.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Batch } from '../../static/home/batch.js';
import { linksIn, requestsFor } from '../../static/home/links.js';
import { bodies, decoded, fromFile, fromPaste, kindOf, tooLarge, wordsIn } from '../../static/home/transcripts.js';

test('captions are recognized by their look', () => {
  const check = (content, expected) => assert.equal(kindOf(content), expected, JSON.stringify(content));
  check('WEBVTT\n\n00:00.000 --> 00:01.000\nHello', 'vtt');
  check('\uFEFFWEBVTT - a talk\n', 'vtt');
  check('1\n00:00:00,000 --> 00:00:01,000\nHello', 'srt');
  check('\uFEFF\r\n1\r\n00:00:00,000 --> 00:00:01,000\r\nHello', 'srt');
  check('WEBVTTER is no header', 'text');
  check('1\nis a number', 'text');
  check('', 'text');
});

test('a file is named by its name and read by its ending', () => {
  assert.deepEqual(fromFile('my_long__talk.v2.vtt', 'x'), { title: 'my long talk.v2', kind: 'vtt', content: 'x' });
  assert.equal(fromFile('a.SRT', 'x').kind, 'srt');
  assert.equal(fromFile('a.txt', 'WEBVTT\n').kind, 'vtt');
  assert.equal(fromFile('.txt', 'x').title, 'Untitled');
});

test('a file is read in the encoding that it is written in', () => {
  const check = (bytes, expected) => assert.equal(decoded(Uint8Array.from(bytes).buffer), expected);
  check([0x7a, 0xc3, 0xbc], 'zü');
  check([0xef, 0xbb, 0xbf, 0x61], 'a');
  check([0xff, 0xfe, 0x7a, 0, 0xfc, 0], 'zü');
  check([0xfe, 0xff, 0, 0x7a, 0, 0xfc], 'zü');
  check([0x7a, 0xfc], 'zü');
  check([], '');
});

test('a paste without a title is named by its first words', () => {
  const check = (content, expected) => assert.equal(fromPaste('  ', content).title, expected);
  check('Hello there.', 'Hello there.');
  check('one two three four five six seven eight', 'one two three four five six seven…');
  check('WEBVTT\n\n00:00.000 --> 00:01.000\n<v Ann>Good morning', 'Good morning');
  check('1\n00:00:00,000 --> 00:00:01,000\nHello', 'Hello');
  check('12 34', 'Untitled');
  assert.equal(fromPaste('Mine', 'Hello').title, 'Mine');
});

test('times and markers are no words', () => {
  assert.equal(wordsIn('1\n00:00:00,000 --> 00:00:01,000\nIt’s Zoë’s well-kept “garden”'), 4);
  assert.equal(wordsIn(' \n 12 --> 13'), 0);
});

const transcript = (length) => ({ title: 't', kind: 'text', content: 'a'.repeat(length) });

test('transcripts share requests as far as they fit', () => {
  const sizes = (lengths, limit) => bodies(lengths.map(transcript), {}, limit).map((body) => JSON.parse(body).transcripts.length);
  assert.deepEqual(sizes([10, 10, 10], 1000), [3]);
  assert.deepEqual(sizes([400, 400, 400], 1000), [2, 1]);
  assert.deepEqual(sizes([], 1000), []);
  assert.deepEqual(sizes(Array(120).fill(1), 1_000_000), [50, 50, 20]);
  for (const body of bodies([400, 400, 400].map(transcript), {}, 1000)) assert.ok(body.length <= 1000);
});

test('what fits alone is just what a request of its own can carry', () => {
  for (let length = 900; length < 1000; length += 1) {
    const fits = bodies([transcript(length)], {}, 1000).every((body) => body.length <= 1000);
    assert.equal(tooLarge(transcript(length), 1000), !fits, String(length));
  }
});

test('a transcript has the size that the server takes', () => {
  assert.equal(tooLarge(transcript(4 * 1024 * 1024)), false);
  assert.equal(tooLarge(transcript(4 * 1024 * 1024 + 1)), true);
});

test('a request says how its talks are to be summarized', () => {
  const [body] = bodies([transcript(3)], { model: 'm', language: 'de' });
  assert.deepEqual(JSON.parse(body), { transcripts: [{ title: 't', text: 'aaa' }], model: 'm', language: 'de' });
});

test('links are found in what people paste', () => {
  const check = (text, videos, playlists = []) => assert.deepEqual(linksIn(text), { videos, playlists }, text);
  check('', []);
  check('dQw4w9WgXcQ\nhttps://youtu.be/dQw4w9WgXcQ', ['dQw4w9WgXcQ', 'https://youtu.be/dQw4w9WgXcQ']);
  check('See https://example.com/v and <https://example.com/v>, please', ['https://example.com/v>'.slice(0, -1)]);
  check('youtube.com/watch?v=dQw4w9WgXcQ', ['youtube.com/watch?v=dQw4w9WgXcQ']);
  check('https://www.youtube.com/playlist?list=PL1 https://www.youtube.com/@me/videos', [], ['https://www.youtube.com/playlist?list=PL1', 'https://www.youtube.com/@me/videos']);
  check('https://www.youtube.com/watch?v=dQw4w9WgXcQ&list=PL1', ['https://www.youtube.com/watch?v=dQw4w9WgXcQ&list=PL1']);
  // The server says what is wrong with it.
  check('nonsense', ['nonsense']);
});

test('the videos are one request, and each playlist another', () => {
  const links = { videos: ['a', 'b'], playlists: ['p', 'q'] };
  assert.deepEqual(requestsFor(links, { model: 'm' }), [{ videos: ['a', 'b'], model: 'm' }, { playlist: 'p', model: 'm' }, { playlist: 'q', model: 'm' }]);
  assert.deepEqual(requestsFor({ videos: [], playlists: [] }, {}), []);
});

/** A batch of two as the server first answers. */
function accepted() {
  const batch = new Batch('b');
  batch.answered({ total: 2, items: [{ id: 'x', title: 'X', status: 'queued' }, { id: 'y', title: 'Y', status: 'queued' }] });
  return batch;
}

const statuses = (batch) => [...batch.items.values()].map(({ status }) => status);

test('a batch follows its events to the end', () => {
  const batch = accepted();
  batch.progressed({ status: 'processing', message: 'Processing: X', total: 2, current_video: { id: 'v', item_id: 'x', title: 'X' }, item_percent: 50 });
  assert.deepEqual(statuses(batch), ['processing', 'queued']);
  assert.equal(batch.progress.progress, 0.5);
  batch.completed({ summary_id: 'x', title: 'X' });
  batch.progressed({ status: 'failed', total: 2, current_video: { id: 'y', item_id: 'y', title: 'Y' }, error: 'no words' });
  assert.deepEqual(statuses(batch), ['completed', 'failed']);
  assert.equal(batch.items.get('y').error, 'no words');
  assert.equal(batch.failures, 1);
  batch.progressed({ status: 'completed', message: 'Done', total: 2 });
  assert.deepEqual(batch.progress, { status: 'completed', message: 'Done', progress: 2, total: 2 });
});

test('an item tells its step and how long it will take', () => {
  const batch = accepted();
  const video = { id: 'v', item_id: 'x', title: 'X' };
  batch.progressed({ status: 'processing', total: 2, current_video: video, stage: 'summarize', item_percent: 40, item_eta_seconds: 9, eta_seconds: 30 });
  const { stage, percent, etaSeconds } = batch.items.get('x');
  assert.deepEqual([stage, percent, etaSeconds, batch.etaSeconds], ['summarize', 40, 9, 30]);
  batch.progressed({ status: 'processing', total: 2, current_video: video, stage: 'store', item_percent: 97, eta_seconds: null });
  assert.deepEqual([batch.items.get('x').etaSeconds, batch.etaSeconds], [null, null]);
});

test('an event before the answer, or one that comes late, changes nothing for the worse', () => {
  const batch = new Batch('b');
  batch.completed({ summary_id: 'x', title: 'X' });
  batch.answered({ total: 2, items: [{ id: 'x', title: 'X', status: 'queued' }, { id: 'y', title: 'Y', status: 'queued' }] });
  batch.progressed({ status: 'processing', total: 2, current_video: { id: 'v', item_id: 'x', title: 'X' } });
  assert.deepEqual(statuses(batch), ['completed', 'queued']);
  assert.equal(batch.isOver, false);
});

test('items stand as they were asked for, whatever came first', () => {
  const batch = new Batch('b');
  batch.completed({ summary_id: 'y', title: 'Y' });
  batch.answered({ total: 2, items: [{ id: 'x', title: 'X', status: 'queued' }, { id: 'y', title: 'Y', status: 'queued' }] });
  assert.deepEqual([...batch.items.keys()], ['x', 'y']);
  batch.answered({ total: 2 });
  assert.deepEqual([...batch.items.keys()], ['x', 'y']);
});

test('a batch is over when all its items are, even if nobody says so', () => {
  const batch = accepted();
  batch.completed({ summary_id: 'x' });
  batch.completed({ summary_id: 'y' });
  assert.equal(batch.isOver, true);
});

test('cancelling ends what has not ended', () => {
  const batch = accepted();
  batch.completed({ summary_id: 'x' });
  batch.progressed({ status: 'cancelled', message: 'Cancelled' });
  assert.deepEqual(statuses(batch), ['completed', 'cancelled']);
  assert.equal(batch.isOver, true);
});
