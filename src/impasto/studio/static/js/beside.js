// Any two results, or the photo, beside each other; both zoom and move together.
import { $, el } from "./dom.js";
import { mouseZoom, PanZoom } from "./panzoom.js";
import { state, watch } from "./state.js";
import { onLanguage, word } from "./words.js";

const PHOTO = "photo";
let picks = [PHOTO, PHOTO];

const panzoom = new PanZoom(() => [...$("beside").querySelectorAll(".pane img")]);

export function startBeside() {
  watch(["view"], () => { if (state.view === "beside") open(); });
  watch(["shown", "results", "photo"], () => { if (state.view === "beside") draw(); });
  onLanguage(() => { if (state.view === "beside") draw(); });
  mouseZoom($("beside"), panzoom, (event) => (event.target.closest(".pane") ?? $("beside")).querySelector("img"));
}

/** Begin with the shown result and the one before it; with the photo where there is no other. */
function open() {
  const other = state.results.find(({ id }) => id !== state.shown?.id);
  picks = [other?.id ?? PHOTO, state.shown?.id ?? PHOTO];
  panzoom.reset();
  draw();
}

function draw() {
  $("beside").replaceChildren(...picks.map(pane));
  panzoom.apply();
}

function pane(id, place) {
  const options = [[PHOTO, word("the_photo")], ...state.results.map((result) => [result.id, result.title])];
  const select = el("select", { "aria-label": word(place ? "right_picture" : "left_picture"), onchange: () => { picks[place] = select.value; draw(); $("beside").querySelectorAll("select")[place].focus(); } },
    ...options.map(([value, title]) => el("option", { value, selected: value === id }, title)));
  const title = options.find(([value]) => value === id)?.[1] ?? "";
  const image = el("img", { alt: title, draggable: "false" });
  address(id).then((url) => { image.src = url; });
  return el("figure", {}, select, el("div", { class: "pane" }, image));
}

async function address(id) {
  const result = state.results.find((each) => each.id === id);
  return result ? result.address() : state.photo.url;
}
