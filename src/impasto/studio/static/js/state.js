// What the page knows: one object, and who wants to hear of its changes.

export const EFFORTS = ["draft", "quick", "fine", "best"];

export const state = {
  methods: [], shared: { properties: {} }, efforts: EFFORTS, kindEfforts: {}, styles: [], limits: {},
  photo: null, // {id, width, height, name, url, clip: {frames, seconds, rate, sound} of a clip}
  chosen: [], // {key, title, weight, mask: null | {id, url}}; a key is a style's name or "picture:ID"
  effort: "quick", boldness: 0.5, method: "", preset: "", settings: {}, keep: false, steady: 0.95,
  ahead: [], // efforts that are painted after the job
  job: null, // the job that is watched, or null
  shown: null, // the result on the stage, or null
  results: [],
  live: false, // whether a camera or a file is painted live
  view: "painting", strength: 1, colour: "style",
};

const watchers = [];

/** Change the state and tell those who watch one of the changed names. */
export function update(changes) {
  const changed = Object.keys(changes).filter((name) => state[name] !== changes[name]);
  if (!changed.length) return;
  Object.assign(state, changes);
  for (const { names, work } of watchers) if (names.some((name) => changed.includes(name))) work(state);
}

/** Call work when one of the names changes, and once now. */
export function watch(names, work) {
  watchers.push({ names, work });
  work(state);
}

const CHOICES = ["chosen", "effort", "boldness", "method", "preset", "settings", "keep", "steady", "ahead"];

/** What the user chose, to be kept over a reload. */
export function remember() {
  const kept = Object.fromEntries(CHOICES.map((name) => [name, state[name]]));
  kept.photo = state.photo?.id ?? null;
  try { localStorage.setItem("impasto.choices", JSON.stringify(kept)); } catch { /* a full or closed store loses only comfort */ }
}

export function recall() {
  try { return JSON.parse(localStorage.getItem("impasto.choices")) || {}; } catch { return {}; }
}

export const CHOICE_NAMES = CHOICES;
