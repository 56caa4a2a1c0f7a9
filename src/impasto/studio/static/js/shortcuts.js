// Keys, and the list of them.
import { $, button, el } from "./dom.js";
import { surprise } from "./gallery.js";
import { closeMask, maskKey, openMask } from "./mask/editor.js";
import { paint, stop } from "./painting.js";
import { peek } from "./stage.js";
import { state, update } from "./state.js";
import { onLanguage, word } from "./words.js";

const KEYS = [
  ["P", "key_paint"], ["Esc", "key_stop"], ["R", "key_surprise"], ["O", "key_peek"], ["1 2 3", "key_views"], ["← →", "key_results"],
  ["M", "key_mask"], ["[ ]", "key_brush"], ["Ctrl Z", "key_undo"], ["S", "key_save"], ["F", "key_photo"], ["?", "key_help"],
];

export function startShortcuts() {
  $("help").addEventListener("click", showHelp);
  onLanguage(() => { if ($("help-dialog").open) draw(); });
  document.addEventListener("keydown", press);
  document.addEventListener("keyup", (event) => { if (event.key.toLowerCase() === "o") peek(false); });
  addEventListener("blur", () => peek(false));
}

function showHelp() {
  draw();
  if (!$("help-dialog").open) $("help-dialog").showModal();
}

function draw() {
  const dialog = $("help-dialog");
  const rows = KEYS.flatMap(([keys, about]) => [el("dt", {}, ...keys.split(" ").map((key) => el("kbd", {}, key))), el("dd", {}, word(about))]);
  dialog.replaceChildren(
    el("div", { class: "sheet-head" }, el("h2", { id: "help-title" }, word("shortcuts")), button("close", word("close"), () => dialog.close(), { class: "quiet square", quietly: true })),
    el("dl", { class: "keys" }, ...rows), el("p", { class: "muted sheet-row" }, word("zoom_hint")));
}

const typing = (node) => node.closest?.("select, textarea, input:not([type=range], [type=radio], [type=checkbox], [type=file])");

function press(event) {
  if (typing(event.target) || document.querySelector("dialog[open]")) return;
  if (state.view === "mask" && maskKey(event)) { event.preventDefault(); return; }
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const work = actionFor(event);
  if (!work) return;
  event.preventDefault();
  work();
}

function actionFor(event) {
  const slider = event.target.matches?.("input");
  if (event.key === "?") return showHelp;
  if (!state.photo) return event.key.toLowerCase() === "f" ? () => $("photo-file").click() : null;
  const shown = Boolean(state.shown);
  const actions = {
    p: () => paint(), r: surprise, o: () => peek(true), s: () => $("take").click(), f: () => $("photo-file").click(),
    m: () => (state.view === "mask" ? closeMask() : state.chosen[0] && openMask(state.chosen[0].key)),
    escape: state.view === "mask" ? closeMask : state.job && stop,
    1: () => update({ view: "painting" }), 2: shown && (() => update({ view: "split" })), 3: shown && (() => update({ view: "beside" })),
    arrowleft: !slider && !event.target.closest("[role=tablist]") && (() => step(-1)), arrowright: !slider && !event.target.closest("[role=tablist]") && (() => step(1)),
  };
  return actions[event.key.toLowerCase()] || null;
}

/** Take up the result beside the shown one. */
function step(by) {
  const at = state.results.findIndex(({ id }) => id === state.shown?.id);
  const next = $("results-list").children[at < 0 ? 0 : at + by];
  next?.querySelector(".open").click();
}
