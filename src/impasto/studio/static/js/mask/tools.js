// The tools beneath the picture while a mask is painted.
import { $, button, el } from "../dom.js";
import { say } from "../notice.js";
import { percent, word } from "../words.js";

const box = { left: 0.25, top: 0.25, width: 0.5, height: 0.5 };
let rectangleOpen = false;

export function drawTools(tools) {
  const { brush } = tools;
  const mode = (erase, symbol, name) =>
    button(symbol, word(name), () => { brush.erase = erase; tools.changed(); }, { "aria-pressed": String(brush.erase === erase), class: "small" });
  const size = el("input", { type: "range", id: "brush-size", min: 0.5, max: 40, step: 0.5, value: brush.size * 100, oninput: () => { brush.size = size.valueAsNumber / 100; } });
  const act = (symbol, name, work) => button(symbol, word(name), () => { work(); say(word(name)); }, { class: "small", id: `mask-${name}` });
  const rectangle = button("rectangle", word("rectangle"), () => { rectangleOpen = !rectangleOpen; drawTools(tools); $("mask-tools").querySelector("[data-rectangle]").focus(); },
    { class: "small", "aria-expanded": String(rectangleOpen), "data-rectangle": "" });
  $("mask-tools").setAttribute("role", "group");
  $("mask-tools").setAttribute("aria-label", word("mask_of", { style: tools.title }));
  $("mask-tools").replaceChildren(
    el("span", { class: "for" }, word("mask_of", { style: tools.title })),
    mode(false, "brush", "brush"), mode(true, "erase", "erase"), el("label", {}, word("brush_size"), size),
    act("undo", "undo", tools.undo), act("soften", "soften", tools.soften), act("invert", "invert", tools.invert), act("clear", "clear", tools.clear),
    rectangle, button("file", word("mask_file"), tools.file, { class: "small" }),
    el("div", { class: "end" }, button("", word("cancel"), tools.cancel, { class: "small plain" }), button("check", word("done"), tools.done, { class: "small primary", id: "mask-done" })),
    ...(rectangleOpen ? [rectanglePart(tools)] : []));
  showBox();
}

function rectanglePart(tools) {
  const inputs = Object.keys(box).map((name) => {
    const input = el("input", { type: "number", min: 0, max: 100, step: 1, value: Math.round(box[name] * 100), oninput: () => { if (input.value !== "" && input.checkValidity()) { box[name] = input.valueAsNumber / 100; showBox(); } }, onkeydown: (event) => { if (event.key === "Enter") fill(tools, false); } });
    return el("label", {}, word(`box_${name}`), input, "%");
  });
  return el("div", { class: "rectangle" }, ...inputs, button("", word("fill"), () => fill(tools, false), { class: "small" }), button("", word("erase"), () => fill(tools, true), { class: "small" }));
}

function fill(tools, erase) {
  tools.rectangle(box, erase);
  say(word(erase ? "box_erased" : "box_filled", Object.fromEntries(Object.entries(box).map(([name, value]) => [name, percent(value)]))));
}

function showBox() {
  const node = $("mask-box");
  node.hidden = !rectangleOpen;
  for (const [name, value] of Object.entries(box)) node.style[name] = `${value * 100}%`;
}
