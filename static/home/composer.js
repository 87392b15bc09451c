/**
 * The form that takes talks: links to videos, files, dropped or chosen, and a transcript that is pasted.
 */

import { byId, complain, make, whileBusy } from '../page/dom.js';
import { bytes, count, modelName } from '../page/format.js';
import { Problem, posting, requestJson } from '../page/problem.js';
import { linksIn, requestsFor } from './links.js';
import { sample } from './sample.js';
import { TRANSCRIPT_BYTES, bodies, decoded, fromFile, fromPaste, kindOf, tooLarge, wordsIn } from './transcripts.js';

const kinds = { text: 'text', vtt: 'WebVTT', srt: 'SubRip' };

/** Far beyond any transcript: a film chosen by mistake must not be read into memory. */
const FILE_BYTES = 20_000_000;

export class Composer {
  #onAccepted;
  /** @type {import('./transcripts.js').Transcript[]} */
  #attached = [];

  /** @param {{onAccepted: (batch: object) => void}} owner `batch` is the server's answer. */
  constructor({ onAccepted }) {
    this.#onAccepted = onAccepted;
    byId('composer').addEventListener('submit', (submitted) => {
      submitted.preventDefault();
      this.#submit();
    });
    byId('files').addEventListener('change', () => this.#attach([...byId('files').files]));
    byId('text').addEventListener('input', () => this.#describePaste());
    byId('links').addEventListener('input', () => this.#describeLinks());
    byId('sample').addEventListener('click', () => this.#pasteSample());
    this.#acceptDrops();
    this.#describePaste();
    this.#offer();
  }

  /** Shows what this installation can do. */
  async #offer() {
    const options = await requestJson('/api/v1/summaries/options').catch(() => ({ models: [], videos: true }));
    byId('links-field').hidden = !options.videos;
    byId('model-field').hidden = options.models.length < 2;
    byId('model').replaceChildren(...options.models.map((model) => make('option', { value: model }, modelName(model))));
  }

  /** Files may be dropped anywhere on the page; the field shows where they go. */
  #acceptDrops() {
    const over = (is) => byId('drop').classList.toggle('over', is);
    const hasFiles = ({ dataTransfer }) => [...(dataTransfer?.types ?? [])].includes('Files');
    document.addEventListener('dragover', (dragged) => {
      if (!hasFiles(dragged)) return;
      dragged.preventDefault();
      over(true);
    });
    document.addEventListener('dragleave', (left) => left.relatedTarget === null && over(false));
    document.addEventListener('drop', (dropped) => {
      if (!hasFiles(dropped)) return;
      dropped.preventDefault();
      over(false);
      this.#attach([...dropped.dataTransfer.files]);
    });
  }

  async #attach(files) {
    const refused = [];
    for (const file of files) {
      const why = await this.#refusal(file);
      if (why) refused.push(`${file.name}: ${why}`);
    }
    // The same file may be chosen again after it was removed.
    byId('files').value = '';
    this.#problem(refused.join(' · '));
    this.#showAttached();
  }

  /** Attaches the file, or says why not. */
  async #refusal(file) {
    if (file.size > FILE_BYTES) return 'too large for a transcript';
    const content = await file.arrayBuffer().then(decoded, () => null);
    if (content === null) return 'it could not be read';
    if (content.includes('\0') || wordsIn(content) === 0) return 'there are no words in it';
    const transcript = fromFile(file.name, content);
    if (tooLarge(transcript)) return `more than ${bytes(TRANSCRIPT_BYTES)}; divide it`;
    this.#attached.push(transcript);
    return null;
  }

  #showAttached() {
    const list = byId('attached');
    list.hidden = this.#attached.length === 0;
    list.replaceChildren(...this.#attached.map((transcript, index) => this.#attachedItem(transcript, index)));
    this.#nameSubmit();
  }

  #attachedItem({ title, kind, content }, index) {
    const remove = () => {
      this.#attached.splice(index, 1);
      this.#showAttached();
      // The button is gone; the focus goes to the next one, or back to where files come from.
      (byId('attached').querySelectorAll('button')[index] ?? byId('files')).focus();
    };
    return make('li', {},
      make('span', { className: 'name', title }, title),
      make('span', { className: 'badge' }, `${kinds[kind]} · ${count(wordsIn(content))} words`),
      make('button', { className: 'button quiet icon small', type: 'button', aria: { label: `Remove ${title}` }, on: { click: remove } }, '×'));
  }

  #describePaste() {
    const content = byId('text').value;
    const words = wordsIn(content);
    byId('text-hint').textContent = words > 0 ? `${count(words)} words, read as ${kinds[kindOf(content)]}` : 'WebVTT and SubRip are recognized by their look.';
    if (words > 0) complain(byId('text'), '');
    this.#nameSubmit();
  }

  #pasteSample() {
    byId('title').value = sample.title;
    byId('text').value = sample.text;
    this.#describePaste();
    byId('submit').focus();
  }

  #describeLinks() {
    const { videos, playlists } = linksIn(byId('links').value);
    const parts = [[videos.length, 'video'], [playlists.length, 'playlist']].filter(([size]) => size > 0);
    const hint = parts.map(([size, word]) => `${size} ${word}${size > 1 ? 's' : ''}`).join(', ');
    byId('links-hint').textContent = hint || 'Links, one a line. Everyone here sees their summaries.';
    complain(byId('links'), '');
    this.#nameSubmit();
  }

  #nameSubmit() {
    const { videos, playlists } = linksIn(byId('links').value);
    const all = this.#attached.length + (wordsIn(byId('text').value) > 0 ? 1 : 0) + videos.length;
    byId('submit').textContent = all > 1 && playlists.length === 0 ? `Summarize ${all} talks` : 'Summarize';
  }

  async #submit() {
    const transcripts = this.#gather();
    if (!transcripts) return;
    this.#problem('');
    await whileBusy(byId('submit'), async () => {
      try {
        await this.#sendLinks();
        await this.#send(transcripts);
        this.#empty();
      } catch (problem) {
        if (!(problem instanceof Problem)) throw problem;
        this.#refused(problem);
      }
    });
    this.#nameSubmit();
  }

  /** Says what is wrong where it stands, if the server knows where. */
  #refused(problem) {
    if (!/^(videos|playlist)/.test(problem.field ?? '')) return this.#problem(problem.message);
    // Which of them it was says the sentence; the request's own name for it says nothing here.
    complain(byId('links'), (problem.detail ?? problem.message).replace(/^(videos|playlist)[\w[\]]*: /, ''));
    byId('links').focus();
  }

  #manner() {
    const wanted = { model: byId('model').value, language: byId('language').value.trim() };
    return Object.fromEntries(Object.entries(wanted).filter(([, value]) => value));
  }

  async #sendLinks() {
    const links = linksIn(byId('links').value);
    for (const request of requestsFor(links, this.#manner())) {
      // To look a playlist up takes seconds.
      if (request.playlist) byId('submit').textContent = 'Looking the playlist up…';
      this.#onAccepted(await requestJson('/api/v1/summaries', posting(JSON.stringify(request))));
      // What was taken is not sent again if the next request fails.
      const left = request.playlist ? links.playlists.slice(links.playlists.indexOf(request.playlist) + 1) : links.playlists;
      byId('links').value = left.join('\n');
    }
    this.#describeLinks();
  }

  /** Everything that is to be summarized; null, with a word to the reader, if there is nothing. */
  #gather() {
    const field = byId('text');
    const pasted = wordsIn(field.value) > 0 ? [fromPaste(byId('title').value, field.value)] : [];
    const transcripts = [...this.#attached, ...pasted];
    const { videos, playlists } = linksIn(byId('links').value);
    const hasLinks = videos.length + playlists.length > 0;
    let complaint = '';
    if (pasted.some((transcript) => tooLarge(transcript))) complaint = `That is more than ${bytes(TRANSCRIPT_BYTES)}; divide it.`;
    else if (transcripts.length === 0 && !hasLinks) complaint = 'Paste a link or a transcript, or choose a file.';
    complain(field, complaint);
    if (complaint) field.focus();
    return complaint ? null : transcripts;
  }

  async #send(transcripts) {
    for (const body of bodies(transcripts, this.#manner())) {
      this.#onAccepted(await requestJson('/api/v1/summaries', posting(body)));
      // What was taken is not sent again if the next request fails.
      const taken = JSON.parse(body).transcripts.length;
      this.#attached.splice(0, taken);
      this.#showAttached();
    }
  }

  #empty() {
    byId('title').value = '';
    byId('text').value = '';
    this.#describePaste();
  }

  #problem(text) {
    byId('composer-problem').hidden = !text;
    byId('composer-problem').textContent = text;
  }
}
