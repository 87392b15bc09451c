/**
 * A small chart of how many of something there are a second, over the last two minutes.
 */

import { count, duration } from './format.js';

const SPAN_MS = 120_000;
const WIDTH = 300;
const HEIGHT = 100;
const SVG = 'http://www.w3.org/2000/svg';

export class Chart {
  #caption;
  #noun;
  #svg;
  #area;
  #line;
  #last = null;
  /** @type {{at: number, rate: number}[]} */
  #points = [];

  /**
   * @param {HTMLElement} place
   * @param {HTMLElement} caption Says in words what the chart shows.
   * @param {string} noun What is counted, such as `deliveries`.
   */
  constructor(place, caption, noun) {
    this.#caption = caption;
    this.#noun = noun;
    this.#svg = shape('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: 'none', role: 'img', 'aria-label': caption.textContent });
    this.#area = shape('polygon', { class: 'area' });
    this.#line = shape('polyline', { class: 'line' });
    this.#svg.append(this.#area, this.#line);
    place.replaceChildren(this.#svg);
  }

  /** @param {number | undefined} total How many there were in all, up to now. */
  add(total) {
    if (!Number.isFinite(total)) return;
    const at = Date.now();
    const { at: before, total: then } = this.#last ?? {};
    this.#last = { at, total };
    // A restarted server counts from zero: that is no rate, but a new beginning.
    if (before === undefined || total < then || at === before) return;
    this.#points.push({ at, rate: ((total - then) * 1000) / (at - before) });
    this.#points = this.#points.filter((point) => at - point.at <= SPAN_MS);
    this.#draw(at);
  }

  #draw(now) {
    const most = Math.max(...this.#points.map(({ rate }) => rate));
    // So that a little is not drawn as if it were much.
    const top = Math.max(1, most);
    const places = this.#points.map(({ at, rate }) => [WIDTH - ((now - at) / SPAN_MS) * WIDTH, HEIGHT - (rate / top) * (HEIGHT - 6)]);
    const text = places.map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`).join(' ');
    this.#line.setAttribute('points', text);
    this.#area.setAttribute('points', `${places[0][0].toFixed(1)},${HEIGHT} ${text} ${WIDTH},${HEIGHT}`);
    const span = duration((now - this.#points[0].at) / 1000);
    const words = `${perSecond(this.#points.at(-1).rate)} ${this.#noun} a second now, at most ${perSecond(most)} in the last ${span}`;
    this.#svg.setAttribute('aria-label', words);
    this.#caption.textContent = words;
  }
}

const perSecond = (rate) => (rate >= 10 ? count(Math.round(rate)) : rate.toFixed(1));

function shape(tag, attributes) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}
