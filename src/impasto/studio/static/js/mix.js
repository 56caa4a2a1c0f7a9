// The chosen styles: weights where there are several, a mask for each, taken out again.
import { $, button, el } from "./dom.js";
import { state, update, watch } from "./state.js";
import { ask } from "./thumbnails.js";
import { number, onLanguage, word } from "./words.js";

let onMask = () => {};

export function startMix(mask) {
  onMask = mask;
  watch(["chosen", "photo"], draw);
  onLanguage(draw);
}

const change = (key, changes) =>
  update({ chosen: state.chosen.map((each) => (each.key === key ? { ...each, ...changes } : each)) });

let drawn = "";

function draw() {
  const shape = JSON.stringify([state.photo?.id, document.documentElement.lang, state.chosen.map(({ key, mask }) => [key, mask?.id])]);
  if (shape === drawn && $("chosen").children.length === state.chosen.length) return; // a weight alone: its slider keeps the focus
  drawn = shape;
  $("chosen").replaceChildren(...(state.photo ? state.chosen.map(row) : []));
}

function row({ key, title, weight, mask }) {
  const picture = el("img", { alt: "" });
  ask(key, (url) => { if (url) picture.src = url; });
  const text = el("div", {}, el("div", { class: "name", title }, title));
  if (state.chosen.length > 1) {
    const out = el("output", {}, number(weight, 1));
    const slider = el("input", {
      type: "range", min: 0.1, max: 2, step: 0.1, value: weight, "aria-label": word("weight_of", { style: title }),
      oninput: () => { out.textContent = number(slider.valueAsNumber, 1); change(key, { weight: slider.valueAsNumber }); },
    });
    text.append(el("div", { class: "weight" }, slider, out));
  }
  const masked = button("mask", word("mask_of", { style: title }), () => onMask(key), { quietly: true, "aria-pressed": String(Boolean(mask)) });
  masked.append(el("span", {}, word(mask ? "masked" : "mask")));
  const out = button("close", word("take_out", { style: title }), () => update({ chosen: state.chosen.filter((each) => each.key !== key) }), { class: "quiet", quietly: true });
  return el("li", {}, picture, text, masked, out);
}
