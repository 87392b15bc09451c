/**
 * One summary in the list. What it says is fetched when it is opened.
 */

import { make, whileBusy } from '../page/dom.js';
import { count, duration, modelName, timecode } from '../page/format.js';
import { Problem, requestJson } from '../page/problem.js';

const date = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' });

/** The page of a summary by itself. */
export const pageOf = (id) => `/summaries/${encodeURIComponent(id)}`;

const api = (id, what = '') => `/api/v1/summaries/${encodeURIComponent(id)}${what}`;

export class SummaryItem {
  #summary;
  #owner;
  #details;
  #snippet = make('p', { className: 'snippet small', hidden: true });
  #body = make('div');
  #asked = false;

  /**
   * @param {{id: string, title: string, source: string, model_used: string, created_at: string, is_shared: boolean}} summary
   * @param {{onDelete: (id: string) => Promise<void>, onRefresh: (answer: object) => void}} owner
   */
  constructor(summary, owner) {
    this.#summary = summary;
    this.#owner = owner;
    this.#details = make('details', {},
      make('summary', {}, make('h3', {}, summary.title), make('span', { className: 'meta numbers' }, meta(summary))),
      this.#body);
    this.#details.addEventListener('toggle', () => this.#details.open && this.#load());
    this.element = make('li', { data: { id: summary.id } }, this.#details, this.#snippet);
  }

  /** Draws the eye to it, and opens it if that is wanted. */
  reveal(open) {
    this.element.classList.add('fresh');
    this.#details.open ||= open;
  }

  /** Where it has what was looked for; nothing if nothing was. */
  showSnippet(pieces) {
    this.#snippet.hidden = !pieces;
    this.#snippet.replaceChildren(...(pieces ?? []).map(({ text, is_match: isMatch }) => (isMatch ? make('mark', {}, text) : text)));
  }

  async #load() {
    if (this.#asked) return;
    this.#asked = true;
    this.#body.replaceChildren(make('p', { className: 'muted sentences' }, 'Fetching…'));
    try {
      this.#show(await requestJson(api(this.#summary.id)));
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      this.#asked = false;
      this.#body.replaceChildren(make('p', { className: 'notice', data: { tone: 'bad' } }, problem.message));
    }
  }

  #show(summary) {
    const overview = summary.overview ? make('p', { className: 'overview' }, summary.overview) : null;
    this.#body.replaceChildren(...[overview, ...parts(summary), this.#foot(summary)].filter(Boolean));
  }

  #foot(summary) {
    const { id, sentences, sentence_count: all, word_count: words, url } = summary;
    const size = `${count(sentences.length)} of ${count(all)} sentences, ${count(words)} words`;
    const link = (href, text, extra = {}) => make('a', { className: 'button small quiet', href, ...extra }, text);
    const actions = make('span', { className: 'row actions' },
      link(pageOf(id), 'Read with transcript'),
      // The clipboard exists only where the connection is secure, or on the machine itself.
      navigator.clipboard ? copyButton(summary) : null,
      link(api(id, '/markdown'), 'Markdown', { download: '' }),
      url ? this.#refreshButton(id) : null,
      this.#deleteButton(id));
    const address = url ? make('span', { className: 'on-paper' }, url) : null;
    return make('div', { className: 'summary-foot small muted' }, make('span', {}, size), address, actions);
  }

  #refreshButton(id) {
    const refresh = make('button', { className: 'button small quiet', type: 'button' }, 'Summarize again');
    refresh.addEventListener('click', () => whileBusy(refresh, async () => {
      this.#owner.onRefresh(await requestJson(api(id, '/refresh'), { method: 'POST' }));
    }).catch((problem) => this.#complain(problem)));
    return refresh;
  }

  /** Asks in its own place, and takes a second press. */
  #deleteButton(id) {
    const button = make('button', { className: 'button small quiet', type: 'button' }, 'Delete');
    const calm = () => {
      button.textContent = 'Delete';
      button.classList.remove('danger');
    };
    button.addEventListener('blur', calm);
    button.addEventListener('keydown', ({ key }) => key === 'Escape' && calm());
    button.addEventListener('click', async () => {
      if (!button.classList.contains('danger')) {
        // The summary of a video is not only one's own.
        button.textContent = this.#summary.is_shared ? 'Delete it for everyone?' : 'Delete it for good?';
        button.classList.add('danger');
        return;
      }
      await whileBusy(button, async () => {
        await requestJson(api(id), { method: 'DELETE' });
        await this.#owner.onDelete(id);
      }).catch((problem) => {
        this.#complain(problem);
        calm();
      });
    });
    return button;
  }

  #complain(problem) {
    if (!(problem instanceof Problem)) throw problem;
    this.#body.querySelector('.notice')?.remove();
    this.#body.append(make('p', { className: 'notice', data: { tone: 'bad' }, role: 'alert' }, problem.message));
  }
}

function meta({ source, model_used: model, created_at: created, playlist, duration_seconds: seconds }) {
  const origin = source === 'cache' ? 'from the cache' : modelName(model);
  return [playlist, seconds ? duration(seconds) : '', origin, date.format(Date.parse(created))].filter(Boolean).join(' · ');
}

/** The key sentences, under the headings of their chapters if there are some. */
function parts(summary) {
  const { sentences, chapters = [] } = summary;
  const timed = sentences.some(({ start_seconds: start }) => Number.isFinite(start));
  const lists = [];
  let present;
  for (const sentence of sentences) {
    const chapter = sentence.chapter ?? null;
    if (lists.length === 0 || chapter !== present) {
      if (chapters[chapter]) lists.push(make('h4', { className: 'chapter' }, chapters[chapter].title));
      lists.push(make('ol', { className: timed ? 'sentences' : 'sentences untimed' }));
      present = chapter;
    }
    lists.at(-1).append(sentenceElement(sentence, timed, summary));
  }
  return lists;
}

function sentenceElement({ text, start_seconds: start }, timed, summary) {
  return make('li', {},
    timed ? make('span', { className: 'time numbers' }, Number.isFinite(start) ? timeLink(start, summary) : '') : null,
    make('span', { className: 'said' }, text));
}

/** A time leads to its moment: in the video, or else in the transcript. */
function timeLink(start, { id, url }) {
  const second = Math.floor(start);
  const isYouTube = url?.startsWith('https://www.youtube.com/watch?');
  const href = url ? `${url}${isYouTube ? '&t=' : '#t='}${second}${isYouTube ? 's' : ''}` : `${pageOf(id)}#t${second}`;
  const elsewhere = url ? { rel: 'noopener noreferrer', target: '_blank' } : {};
  return make('a', { href, ...elsewhere, aria: { label: `${timecode(start)}, ${url ? 'in the video' : 'in the transcript'}` } }, timecode(start));
}

function copyButton({ overview, sentences }) {
  const copy = make('button', { className: 'button small quiet', type: 'button' }, 'Copy');
  copy.addEventListener('click', async () => {
    await navigator.clipboard.writeText([overview, ...sentences.map(({ text }) => text)].filter(Boolean).join('\n\n'));
    copy.textContent = 'Copied';
    setTimeout(() => (copy.textContent = 'Copy'), 2000);
  });
  return copy;
}
