// Paint a mask for one style on the photo: brush, rectangle by keys, or a file.
import { fetchBlob, pictureUrl } from "../api.js";
import { $, clamp } from "../dom.js";
import { tellError } from "../notice.js";
import { send } from "../pictures.js";
import { panzoom } from "../stage.js";
import { state, update, watch } from "../state.js";
import { onLanguage, word } from "../words.js";
import { startPointers } from "./pointers.js";
import { Raster } from "./raster.js";
import { drawTools } from "./tools.js";

const COLOURS = [[30, 140, 255], [226, 48, 40], [40, 190, 90], [235, 60, 210]]; // of the mask: the one least like the photo
const rasters = new Map(); // photo and style -> the drawn mask, for this page

/** What the tools set. */
export const brush = { size: 0.08, erase: false }; // size as a share of the longest side

let raster = null;
let closing = null; // a promise, while the mask is being sent
let style = null;
let last = null;
let back = "painting";

export function startMask() {
  startPointers($("mask-canvas"), panzoom, {
    begin: (point) => { raster.mark(); last = point; drawTo(point); },
    draw: drawTo,
    end: () => { last = null; },
    cancel: () => { last = null; raster.undo(); },
    hover: showRing,
  });
  $("mask-canvas").addEventListener("wheel", (event) => {
    event.preventDefault();
    if (event.ctrlKey || event.metaKey) panzoom.zoom(Math.exp(-event.deltaY * 0.01), ...panzoom.point(event, $("picture")));
    else resize(event.deltaY < 0 ? 1.1 : 1 / 1.1);
  }, { passive: false });
  $("mask-file").addEventListener("change", () => {
    const [file] = $("mask-file").files;
    $("mask-file").value = "";
    if (file) raster.load(file).catch(() => tellError(new Error(word("mask_unread"))));
  });
  watch(["photo"], () => { if (state.view === "mask") leave(); });
  watch(["view"], () => { if (document.body.classList.contains("masking") && state.view !== "mask") closeMask(); }); // by a key, or a result taken up
  onLanguage(() => { if (state.view === "mask") drawTools(tools()); });
}

function drawTo(point) {
  raster.line(last ?? point, point, brush.size * raster.side, brush.erase);
  last = point;
}

/** The colour of COLOURS that is farthest from each colour of a palette of "#rrggbb". */
function colourUnlike(palette = []) {
  const others = palette.map((hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16)));
  const nearest = (colour) => Math.min(...others.map((other) => Math.hypot(...other.map((value, i) => value - colour[i]))));
  const [best] = others.length ? [...COLOURS].sort((a, b) => nearest(b) - nearest(a)) : COLOURS;
  return `rgb(${best.join(", ")})`;
}

/** Open the mask of a chosen style. */
export async function openMask(key) {
  if (!state.photo) return;
  if (state.view === "mask") await closeMask();
  style = state.chosen.find((each) => each.key === key);
  if (!style) return;
  back = state.view;
  const { width, height, id } = state.photo;
  const canvas = $("mask-canvas");
  raster = new Raster(canvas, width, height, colourUnlike(state.photo.palette));
  const before = rasters.get(`${id} ${key}`);
  if (before) raster.context.putImageData(before, 0, 0);
  else if (style.mask) await fetchBlob(pictureUrl(style.mask.id, 1024)).then((blob) => raster.load(blob)).catch(tellError);
  raster.touched = false;
  raster.past = [];
  panzoom.reset();
  update({ view: "mask" });
  document.body.classList.add("masking");
  canvas.hidden = false;
  $("after").hidden = true;
  $("mask-tools").hidden = false;
  drawTools(tools());
}

/** Send the mask, if it was changed, and leave; whoever asks again meanwhile waits for the same. */
export function closeMask() {
  closing ??= sendAndLeave().finally(() => { closing = null; });
  return closing;
}

async function sendAndLeave() {
  const was = raster;
  if (!was) return;
  const { key } = style;
  if (was.touched) {
    const empty = was.empty;
    rasters.set(`${state.photo.id} ${key}`, was.pixels());
    try {
      const told = empty ? null : await send(await was.png(), "mask.png", "mask");
      update({ chosen: state.chosen.map((each) => (each.key === key ? { ...each, mask: told && { id: told.id } } : each)) });
    } catch (error) {
      update({ view: "mask" });
      tellError(error);
      return;
    }
  }
  leave();
}

function leave() {
  document.body.classList.remove("masking");
  for (const id of ["mask-canvas", "mask-tools", "mask-box", "brush-ring"]) $(id).hidden = true;
  $("after").hidden = !state.shown;
  panzoom.reset();
  raster = null;
  if (state.view === "mask") update({ view: back === "mask" ? "painting" : back });
}

function tools() {
  return {
    title: style.title, brush, resize, changed: () => drawTools(tools()),
    undo: () => raster.undo(), soften: () => raster.soften(), invert: () => raster.invert(), clear: () => raster.clear(),
    file: () => $("mask-file").click(), done: closeMask, rectangle: (box, erase) => raster.rectangle(box, erase),
    cancel: leave,
  };
}

function resize(factor) {
  brush.size = clamp(brush.size * factor, 0.005, 0.4);
  const slider = $("brush-size");
  if (slider) slider.value = brush.size * 100;
  $("brush-ring").hidden = true;
}

/** The keys of the mask; true if it was one. */
export function maskKey(event) {
  const key = event.key.toLowerCase();
  if ((event.ctrlKey || event.metaKey) && key === "z") { raster.undo(); return true; }
  if (event.ctrlKey || event.metaKey || event.altKey) return false;
  const work = {
    "[": () => resize(1 / 1.2), "]": () => resize(1.2), i: () => raster.invert(), x: () => { brush.erase = !brush.erase; drawTools(tools()); },
  }[key];
  work?.();
  return Boolean(work);
}

function showRing(event, out = false) {
  const ring = $("brush-ring");
  ring.hidden = out || event.pointerType === "touch";
  if (ring.hidden) return;
  const size = brush.size * Math.max($("mask-canvas").getBoundingClientRect().width, $("mask-canvas").getBoundingClientRect().height);
  const box = $("viewport").getBoundingClientRect();
  ring.style.width = ring.style.height = `${size}px`;
  ring.style.transform = `translate(${event.clientX - box.left - size / 2}px, ${event.clientY - box.top - size / 2}px)`;
}

