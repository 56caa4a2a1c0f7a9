// Thumbnails of the photo in each style: fetched few at a time, those in sight first, and kept for the photo.
import { ApiError, fetchThumbnail } from "./api.js";
import { ensure, latest } from "./pictures.js";

const AT_ONCE = 3; // the browser opens six connections, and jobs and events need some
const TRIES = 5;

let photo = null;
let stopping = new AbortController();
let waiting = []; // {style, show, tries}
let running = 0;
const ready = new Map(); // style -> object URL

/** Begin with another photo: what was under way is dropped. */
export function startPhoto(id) {
  stopping.abort();
  stopping = new AbortController();
  for (const url of ready.values()) URL.revokeObjectURL(url);
  ready.clear();
  waiting = [];
  photo = id;
}

/** Ask for a thumbnail; show is called with its address, or with null where there is none. */
export function ask(style, show) {
  if (ready.has(style)) return show(ready.get(style));
  waiting.push({ style, show, tries: 0 });
  return next();
}

/** Take these styles first. */
export function hurry(styles) {
  waiting.sort((a, b) => styles.has(b.style) - styles.has(a.style));
}

function next() {
  while (running < AT_ONCE && waiting.length && photo) fetchOne(waiting.shift());
}

async function fetchOne(wanted) {
  const { style, show } = wanted;
  const of = photo;
  const { signal } = stopping;
  running += 1;
  try {
    const url = URL.createObjectURL(await fetchThumbnail(latest(of), latestStyle(style), signal));
    if (of !== photo) return URL.revokeObjectURL(url);
    ready.set(style, url);
    show(url);
  } catch (error) {
    if (error.name !== "AbortError") await again(error, wanted, of);
  } finally {
    running -= 1;
    next();
  }
}

const OWN = "picture:";
const latestStyle = (style) => (style.startsWith(OWN) ? OWN + latest(style.slice(OWN.length)) : style);

async function again(error, wanted, of) {
  if (error instanceof ApiError && error.status === 404 && wanted.tries < TRIES) return afterSending(wanted, of);
  const busy = error instanceof ApiError && [0, 429, 503].includes(error.status);
  if (!busy || wanted.tries >= TRIES) return wanted.show(null);
  await new Promise((done) => setTimeout(done, 1000 * (error.retryAfter || 0.4 * 2 ** wanted.tries)));
  if (of === photo) waiting.push({ ...wanted, tries: wanted.tries + 1 });
}

/** The server forgot the photo or the style by age: send them again, and try once more. */
async function afterSending(wanted, of) {
  const own = wanted.style.startsWith(OWN) ? [wanted.style.slice(OWN.length)] : [];
  const there = await Promise.all([of, ...own].map((id) => ensure(id).catch(() => null)));
  if (there.includes(null)) return wanted.show(null);
  if (of === photo) waiting.push({ ...wanted, tries: TRIES });
}
