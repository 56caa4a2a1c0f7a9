// The two large dials: how much time, and how bold.
import { $, el } from "./dom.js";
import { state, update, watch } from "./state.js";
import { onLanguage, percent, word } from "./words.js";

export function startDials() {
  draw();
  onLanguage(draw);
  watch(["effort", "boldness", "method", "efforts"], show);
}

/** Turn a dial. Whoever turns one wants the dials, so a method of their own choice is given up. */
const turn = (changes) => update({ ...changes, method: "", preset: "" });

function draw() {
  const choices = state.efforts.map((name) => el("label", {},
    el("input", { type: "radio", name: "effort", value: name, checked: state.effort === name, onchange: () => turn({ effort: name }) }),
    word(`effort_${name}`, {}, name)));
  const slider = el("input", { type: "range", id: "boldness", min: 0, max: 1, step: 0.05, value: state.boldness, oninput: () => turn({ boldness: slider.valueAsNumber }) });
  $("dials").replaceChildren(
    el("div", { class: "dial", role: "radiogroup", "aria-labelledby": "effort-name" },
      el("div", { class: "dial-head" }, el("span", { class: "name", id: "effort-name" }, word("effort")), el("output", { id: "effort-out" })),
      el("div", { class: "effort" }, ...choices)),
    el("div", { class: "dial" },
      el("div", { class: "dial-head" }, el("label", { for: "boldness" }, word("boldness")), el("output", { id: "boldness-out", for: "boldness" })),
      slider,
      el("div", { class: "ends", "aria-hidden": "true" }, el("span", {}, word("bold_low")), el("span", {}, word("bold_high")))));
  show();
}

function show() {
  if (!$("boldness")) return;
  for (const radio of document.querySelectorAll("input[name=effort]")) radio.checked = radio.value === state.effort;
  $("boldness").value = state.boldness;
  $("boldness-out").textContent = percent(state.boldness);
  $("boldness").setAttribute("aria-valuetext", percent(state.boldness));
  $("effort-out").textContent = state.method ? word("dials_off") : word(`effort_about_${state.effort}`, {}, "");
  $("dials").classList.toggle("off", Boolean(state.method));
}
