/** Numbers, sizes and times as people read them. */

const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit', hour12: false });
const day = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short', hour12: false });
const number = new Intl.NumberFormat();
const short = new Intl.NumberFormat(undefined, { notation: 'compact', maximumFractionDigits: 1 });

/** `14:02:31` */
export const clockTime = (ms) => clock.format(ms);

/** `14:02:31.045` */
export const preciseTime = (ms) => `${clock.format(ms)}.${String(Math.floor(ms % 1000)).padStart(3, '0')}`;

/** `Nov 27, 2026, 14:02` */
export const dayAndTime = (ms) => day.format(ms);

/** The engine that is built in only quotes, and is called so; a model has its own name. */
export const modelName = (model) => (model === 'extractive' ? 'key sentences' : model);

/** `12,345` */
export const count = (value) => (Number.isFinite(value) ? number.format(value) : '–');

/** `12.3K` */
export const shortCount = (value) => (Number.isFinite(value) ? short.format(value) : '–');

/** `3.4 MiB` */
export function bytes(value) {
  if (!Number.isFinite(value)) return '–';
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  const step = value < 1 ? 0 : Math.min(Math.floor(Math.log2(value) / 10), units.length - 1);
  return `${(value / 1024 ** step).toFixed(step === 0 ? 0 : 1)} ${units[step]}`;
}

/** `2 h 05 min`, `41 s` */
export function duration(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const [h, min, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  if (h >= 48) return `${Math.floor(h / 24)} days`;
  if (h > 0) return `${h} h ${String(min).padStart(2, '0')} min`;
  return min > 0 ? `${min} min ${String(s).padStart(2, '0')} s` : `${s} s`;
}

/** How long something took: `87 ms`, `4.2 s`, `3 min 20 s` */
export function elapsed(ms) {
  const whole = Math.max(0, Math.round(ms));
  if (whole < 1000) return `${whole} ms`;
  return whole < 10_000 ? `${(whole / 1000).toFixed(1)} s` : duration(whole / 1000);
}

/** How long ago, roughly: `now`, `40 s`, `12 min`, `5 h`, `3 days` */
export function age(ms) {
  const s = Math.max(0, Math.floor(ms / 1000));
  if (s < 2) return 'now';
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min`;
  return s < 172_800 ? `${Math.floor(s / 3600)} h` : `${Math.floor(s / 86_400)} days`;
}

/** A place in a talk: `4:07`, `1:02:33` */
export function timecode(seconds) {
  const whole = Math.floor(seconds);
  const [h, min, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (value) => String(value).padStart(2, '0');
  return h > 0 ? `${h}:${two(min)}:${two(s)}` : `${min}:${two(s)}`;
}
