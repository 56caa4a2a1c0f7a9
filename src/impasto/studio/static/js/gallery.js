// The styles, painted on this photo: choose one, mix several, mark favourites.
import { $, button, el, icon } from "./dom.js";
import { favourites, markRecent, recent, toggleFavourite } from "./favourites.js";
import { mixes, takes } from "./kinds.js";
import { notice, say } from "./notice.js";
import { state, update, watch } from "./state.js";
import { ask, hurry, startPhoto } from "./thumbnails.js";
import { onLanguage, word } from "./words.js";

const FILTERS = ["all", "favourites", "recent", "own"];
let filter = "all";
let onChoose = () => {};
let onAdd = () => {};
let shownPhoto = null;
const inSight = new Set();
const sight = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) inSight[isIntersecting ? "add" : "delete"](target.dataset.key);
  hurry(inSight);
}, { rootMargin: "80px" });

export const styleTitle = (key) => state.styles.find((style) => style.key === key)?.title ?? (key.startsWith("picture:") ? word("own_style") : key);

export function startGallery({ choose, add }) {
  onChoose = choose;
  onAdd = add;
  $("surprise").addEventListener("click", surprise);
  watch(["photo"], () => {
    if (!state.photo || state.photo.id === shownPhoto) return;
    shownPhoto = state.photo.id;
    startPhoto(shownPhoto);
    draw();
  });
  watch(["styles"], draw);
  watch(["chosen"], markChosen);
  onLanguage(draw);
}

function visible() {
  if (filter === "favourites") return state.styles.filter(({ key }) => favourites.has(key));
  if (filter === "recent") return recent.flatMap((key) => state.styles.filter((style) => style.key === key));
  if (filter === "own") return state.styles.filter(({ kind }) => kind === "own");
  return state.styles;
}

export function draw() {
  $("style-filters").replaceChildren(...FILTERS.map((name) =>
    el("button", { type: "button", "aria-pressed": String(name === filter), onclick: () => { filter = name; draw(); } }, word(`filter_${name}`))));
  sight.disconnect();
  inSight.clear();
  const styles = visible();
  $("thumbs").replaceChildren(...styles.map(thumb), ...(["all", "own"].includes(filter) ? [addTile()] : []));
  $("thumbs-empty").hidden = styles.length > 0 || filter === "all";
  $("thumbs-empty").textContent = word(`none_${filter}`, {}, "");
  markChosen();
}

function thumb(style) {
  const { key, title, artist, year } = style;
  const frame = el("span", { class: "frame waiting" });
  const who = [artist, year].filter(Boolean).join(", ");
  const main = el("button", { type: "button", class: "thumb", "aria-pressed": "false", title: who ? `${title}\n${who}` : title, onclick: (event) => pick(style, event.shiftKey) },
    frame, el("span", { class: "title" }, title), artist && el("span", { class: "artist" }, artist));
  const star = button("star", word("favourite", { style: title }), () => {
    toggleFavourite(key);
    star.setAttribute("aria-pressed", String(favourites.has(key)));
    if (filter === "favourites") draw();
  }, { class: "mini star", quietly: true, "aria-pressed": String(favourites.has(key)) });
  const add = button("plus", word("add_to_mix", { style: title }), () => pick(style, true), { class: "mini add", quietly: true, "aria-pressed": "false" });
  const item = el("li", { class: "style", "data-key": key }, main, add, star);
  sight.observe(item);
  ask(key, (url) => {
    frame.classList.remove("waiting");
    if (url) frame.replaceChildren(el("img", { src: url, alt: "" }));
    else frame.classList.add("missing");
  });
  return item;
}

function addTile() {
  return el("li", { class: "style" }, el("button", { type: "button", class: "add-style", id: "add-style", onclick: () => onAdd() }, icon("plus"), word("add_style")));
}

function markChosen() {
  const keys = new Set(state.chosen.map(({ key }) => key));
  for (const item of $("thumbs").children) {
    const on = String(keys.has(item.dataset.key));
    item.querySelector(".thumb")?.setAttribute("aria-pressed", on);
    item.querySelector(".add")?.setAttribute("aria-pressed", on);
  }
}

/** Choose a style alone and paint; or add it to the mix, or take it out. */
export function pick({ key, title }, mix = false) {
  const there = state.chosen.some((each) => each.key === key);
  const one = { key, title, weight: 1, mask: null };
  if (mix && !there && state.chosen.some((each) => !mixes(each.key, key))) {
    notice(word("mix_kinds"), { seconds: 8 });
    return;
  }
  if (!takes(state.method, key)) {
    notice(word("method_left", { method: state.method }), { seconds: 8 });
    update({ method: "", preset: "" });
  }
  if (mix) {
    update({ chosen: there ? state.chosen.filter((each) => each.key !== key) : [...state.chosen, one] });
    say(word(there ? "taken_out" : "added", { style: title }));
    return;
  }
  update({ chosen: [there && state.chosen.length === 1 ? state.chosen[0] : one] });
  markRecent([key]);
  onChoose();
}

export function surprise() {
  const others = state.styles.filter(({ key }) => !state.chosen.some((each) => each.key === key));
  if (!others.length || !state.photo) return;
  const style = others[Math.floor(Math.random() * others.length)];
  say(style.title);
  pick(style);
  $("thumbs").querySelector(`[data-key="${CSS.escape(style.key)}"]`)?.scrollIntoView({ block: "nearest", inline: "nearest" });
}
