// The picture: photo and painting as two layers, so that strength is opacity and before/after a clipped edge.
import { paintingUrl, previewUrl } from "./api.js";
import { $, button, decodes, el } from "./dom.js";
import { tellError } from "./notice.js";
import { mouseZoom, PanZoom } from "./panzoom.js";
import { state, update, watch } from "./state.js";
import { onLanguage, percent, word } from "./words.js";

const VIEWS = [["painting", "painting"], ["split", "split"], ["beside", "beside"]];
const PAINTED_COLOURS = new Set(["coral"]); // act before painting, so the server paints again
const LIVE_LONGEST = 1600;

let shownPreview = "";
let loading = false; // a preview
let order = 0; // of pictures asked for: a later one is never replaced by an earlier
let repaint = () => {};

export const panzoom = new PanZoom(() => [$("picture")], (scale) => $("stage").classList.toggle("zoomed", scale > 1));

export function startStage(paintAgain) {
  repaint = paintAgain;
  mouseZoom($("viewport"), panzoom, () => $("picture"), () => state.view === "painting" && Boolean(state.photo));
  $("split").addEventListener("input", () => setSplit($("split").value));
  $("strength").addEventListener("input", () => update({ strength: $("strength").valueAsNumber }));
  $("colour").addEventListener("change", changeColour);
  watch(["photo"], showPhoto);
  watch(["job"], showPreview);
  watch(["shown"], showResult);
  watch(["strength"], showStrength);
  watch(["view", "shown", "results"], showView);
  watch(["shared", "colour", "shown"], showColours);
  onLanguage(() => { showView(); showColours(); showStrength(); describe(); });
}

async function showPhoto() {
  const { photo } = state;
  if (!photo) return;
  document.body.dataset.state = "photo";
  for (const node of [document.documentElement, $("viewport"), $("stage")]) node.style.setProperty("--ratio", photo.width / photo.height);
  $("before").src = photo.url;
  if (!state.shown) $("after").hidden = true;
  panzoom.reset();
  describe();
}

async function swap(url) {
  order += 1;
  const mine = order;
  if (!(await decodes(url)) || mine !== order) return false;
  $("after").src = url;
  $("after").hidden = false;
  return true;
}

/** Show the newest preview; while one is on its way no other is asked for, so that a slow line shows some. */
async function showPreview() {
  const { job } = state;
  if (!job?.id || !(job.preview > 0) || job.request?.photo !== state.photo?.id) return;
  const url = previewUrl(job.id, job.preview);
  if (url === shownPreview || loading) return;
  shownPreview = url;
  loading = true;
  await swap(url);
  loading = false;
  showPreview();
}

async function showResult() {
  const { shown } = state;
  describe();
  $("finish").hidden = !shown || Boolean(shown.film);
  $("take").disabled = !shown;
  if (!shown) { order += 1; $("after").hidden = true; return; }
  await swap(await shown.address());
}

function describe() {
  $("before").alt = state.photo ? word("photo_alt", { name: state.photo.name ?? "" }) : "";
  $("after").alt = state.shown ? word("painting_alt", { title: state.shown.title }) : word("painting");
}

function setSplit(value) {
  $("picture").style.setProperty("--split", `${value}%`);
  $("split").setAttribute("aria-valuetext", word("split_value", { n: percent(value / 100) }));
}

function showStrength() {
  $("strength").value = state.strength;
  $("strength-out").textContent = percent(state.strength);
  $("strength").setAttribute("aria-valuetext", percent(state.strength));
  $("picture").style.setProperty("--strength", state.strength);
}

function showColours() {
  const choices = state.shared.properties?.colour?.enum ?? ["style"];
  const options = choices.map((name) => el("option", { value: name, selected: name === state.colour }, word(`value_${name}`, {}, name)));
  $("colour").replaceChildren(...options);
}

/** The colours that a result was painted with. */
export const paintedColour = (result) => result.request.settings?.colour ?? "style";

async function changeColour() {
  const colour = $("colour").value;
  const settings = { ...state.settings };
  const { shown } = state;
  const before = shown ? paintedColour(shown) : settings.colour;
  delete settings.colour;
  if (PAINTED_COLOURS.has(colour)) settings.colour = colour;
  update({ colour, settings });
  if (settings.colour || PAINTED_COLOURS.has(before)) { repaint(); return; }
  if (!shown) return;
  if (colour === before) { swap(await shown.address()); return; }
  const url = paintingUrl(shown.id, { format: "webp", longest: LIVE_LONGEST, colour });
  if (!(await swap(url))) tellError(new Error(word("colour_gone")));
}

function showView() {
  const { view, shown, results } = state;
  const can = { painting: true, split: Boolean(shown) && !shown.film, beside: results.length > 0 && Boolean(shown) };
  const now = view === "mask" || can[view] ? view : "painting";
  $("views").replaceChildren(...VIEWS.map(([name, symbol]) => {
    const made = button(symbol, word(`view_${name}`), () => { update({ view: name }); $("views").querySelector(`[data-view=${name}]`)?.focus(); },
      { "aria-pressed": String(name === now), "data-view": name });
    made.disabled = !can[name];
    return made;
  }));
  const split = now === "split";
  $("picture").classList.toggle("split", split);
  $("split").hidden = $("split-line").hidden = !split;
  if (split) { panzoom.reset(); setSplit($("split").value); }
  $("viewport").hidden = now === "beside";
  $("beside").hidden = now !== "beside";
}

/** Show the photo alone while a key or button is held. */
export function peek(on) {
  $("picture").classList.toggle("original", on);
}
