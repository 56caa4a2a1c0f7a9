// A clip as the photo: what it is, and how it is painted.
import { $, el } from "./dom.js";
import { state, update, watch } from "./state.js";
import { number, onLanguage, percent, word } from "./words.js";

const SIZES = [256, 384, 512, 768, 1024];
const USUAL = 512;

/** Whether a file is a clip by its type or name. */
export const isClip = ({ type, name }) => type.startsWith("video/") || /\.(mp4|m4v|mov|mkv|webm|avi|ts|mpg|ogv|wmv|flv)$/i.test(name);

/** Whether a file may be a clip: a GIF may move. */
export const mayMove = (file) => isClip(file) || file.type === "image/gif" || /\.gif$/i.test(file.name);

/** Length and size of a clip in words. */
export const lengthOf = ({ frames, seconds }) => word("clip_length", { frames: number(frames), seconds: number(seconds, 1) });

export function startClip() {
  watch(["photo"], () => { if (state.photo?.clip && state.effort !== "draft") update({ effort: "draft" }); });
  watch(["photo", "steady", "settings"], draw);
  watch(["limits"], tellLimits);
  onLanguage(() => { shape = ""; draw(); tellLimits(); });
}

/** What clips may be, told before one is chosen. */
function tellLimits() {
  const clips = state.limits.clips;
  $("clip-told").hidden = !clips;
  if (!clips) return;
  const most = { mb: number(clips.max_bytes / 1e6), frames: number(clips.max_frames) };
  $("clip-told").textContent = word(clips.installed ? "clip_limits" : "clip_extra", most);
}

let shape = "";

function draw() {
  const clip = state.photo?.clip;
  $("clip-dials").hidden = !clip;
  if (!clip) { shape = ""; return; }
  if (shape !== state.photo.id) {
    shape = state.photo.id;
    const told = el("p", { class: "clip-length" }, lengthOf(clip) + (clip.sound ? ` · ${word("clip_sound")}` : ""));
    $("clip-dials").replaceChildren(el("div", { class: "clip-head" }, told, ...sizes()),
      dial("steady", () => state.steady, (value) => update({ steady: value })),
      dial("clip_strength", () => state.settings.strength ?? 1, (value) => update({ settings: { ...state.settings, strength: value } })));
  }
  for (const name of ["steady", "clip_strength"]) show(name);
}

const shows = {};
const show = (name) => shows[name]?.();

function dial(name, get, set) {
  const out = el("output", { for: `dial-${name}` });
  const slider = el("input", { type: "range", id: `dial-${name}`, min: 0, max: 1, step: 0.05, value: get(), oninput: () => set(slider.valueAsNumber) });
  shows[name] = () => {
    slider.value = get();
    out.textContent = percent(get());
    slider.setAttribute("aria-valuetext", percent(get()));
  };
  return el("div", { class: "dial small" }, el("div", { class: "dial-head" }, el("label", { for: `dial-${name}` }, word(name)), out), slider);
}

function sizes() {
  const most = Math.min(state.limits.clips?.max_size ?? 1024, Math.max(state.photo.width, state.photo.height, USUAL));
  const now = state.settings.size || USUAL;
  const all = [...new Set([...SIZES.filter((size) => size <= most), now])].sort((a, b) => a - b);
  const select = el("select", { id: "clip-size", title: word("clip_size"), onchange: () => update({ settings: { ...state.settings, size: Number(select.value) } }) },
    ...all.map((size) => el("option", { value: size, selected: size === now }, `${number(size)} px`)));
  return [el("label", { for: "clip-size", class: "unseen" }, word("clip_size")), select];
}
