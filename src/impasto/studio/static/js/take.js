// Take a painting home: format, size in pixels or centimetres, share, clipboard, and a large one for print.
import { fetchBlob, getJob, paintingUrl } from "./api.js";
import { $, button, el } from "./dom.js";
import { notice, tellError } from "./notice.js";
import { paintPrint } from "./painting.js";
import { paintedColour } from "./stage.js";
import { state, watch } from "./state.js";
import { openTakeClip } from "./take_clip.js";
import { number, onLanguage, word } from "./words.js";

const LOSSY = new Set(["jpeg", "webp", "avif"]);
const NAMES = { png: "PNG", jpeg: "JPEG", webp: "WebP", avif: "AVIF", tiff: "TIFF" };
const SUFFIX = { jpeg: "jpg", tiff: "tif" };
const CM_PER_INCH = 2.54;
const KEEP = 60_000; // milliseconds that the browser has to write a file

const choice = { format: "png", quality: 92, unit: "px", size: null, width: 30, dpi: 300 };

export function startTake() {
  $("take").addEventListener("click", open);
  onLanguage(() => { if ($("take-dialog").open) open(); });
  watch(["shown"], () => { if ($("take-dialog").open && !state.shown) $("take-dialog").close(); });
}

let onServer = true;

async function open() {
  if (!state.shown) return;
  if (state.shown.film) { openTakeClip(); return; }
  onServer = true;
  choice.size = Math.max(state.shown.width ?? 0, state.shown.height ?? 0) || null;
  draw();
  if (!$("take-dialog").open) $("take-dialog").showModal();
  onServer = await getJob(state.shown.id).then(() => true, (error) => error.status !== 404);
  if (!onServer) draw();
}

const formats = () => (state.limits.formats?.write ?? ["png", "jpeg", "webp"]).map((name) => name.toLowerCase()).filter((name) => name in NAMES);

/** The longest side in pixels that is asked for. */
function longest() {
  const { width, height } = state.shown;
  if (choice.unit === "px") return choice.size;
  const across = (choice.width / CM_PER_INCH) * choice.dpi;
  return Math.round(across * Math.max(1, height / width));
}

const painted = () => Math.max(state.shown.width, state.shown.height);

function options(format = choice.format) {
  const side = longest();
  return {
    format, quality: LOSSY.has(format) ? choice.quality : undefined, strength: state.strength < 1 ? state.strength : undefined,
    colour: state.colour === paintedColour(state.shown) ? undefined : state.colour, size: side && side < painted() ? side : undefined,
    dpi: choice.unit === "cm" ? savedDpi() : undefined,
  };
}

/** Dots per inch at which the file has the width that is asked for: fewer than asked where fewer pixels are painted. */
const savedDpi = () => Math.round(choice.dpi * Math.min(1, painted() / longest()) * 10) / 10;

function fileName(format) {
  const base = `${state.shown.photoName.replace(/\.[^.]*$/, "")} ${state.shown.title}`.trim();
  return `${base.replace(/[^\p{L}\p{N} _+-]/gu, "").replace(/\s+/g, "-").slice(0, 80) || "painting"}.${SUFFIX[format] ?? format}`;
}

function draw() {
  const dialog = $("take-dialog");
  const head = el("div", { class: "sheet-head" }, el("h2", { id: "take-title" }, word("take_home")), button("close", word("close"), () => dialog.close(), { class: "quiet square", quietly: true }));
  const body = onServer ? [formatRow(), sizeRow()] : [el("p", {}, word("only_here"))];
  dialog.replaceChildren(head, ...body, actions(), ...(globalThis.isSecureContext ? [] : [el("p", { class: "muted" }, word("no_secure"))]));
  if (onServer) tellSize();
}

function formatRow() {
  const buttons = formats().map((name) => el("button", { type: "button", "aria-pressed": String(choice.format === name), onclick: () => { choice.format = name; draw(); } }, NAMES[name]));
  const out = el("output", {}, String(choice.quality));
  const slider = el("input", { type: "range", id: "quality", min: 40, max: 100, value: choice.quality, oninput: () => { choice.quality = slider.valueAsNumber; out.textContent = slider.value; } });
  return el("div", { class: "sheet-row" }, el("div", { class: "chips", role: "group", "aria-label": word("format") }, ...buttons),
    LOSSY.has(choice.format) && el("div", { class: "inline" }, el("label", { for: "quality" }, word("quality")), slider, out),
    el("p", { class: "muted" }, word("recipe_inside")));
}

function sizeRow() {
  const units = ["px", "cm"].map((unit) => el("button", { type: "button", "aria-pressed": String(choice.unit === unit), onclick: () => { choice.unit = unit; draw(); } }, word(`unit_${unit}`)));
  const input = (name, label, low, high) => {
    const made = el("input", { type: "number", id: `take-${name}`, min: low, max: high, value: choice[name] ?? "", oninput: () => { if (made.checkValidity() && made.value) { choice[name] = made.valueAsNumber; tellSize(); } } });
    return el("span", { class: "pair" }, el("label", { for: `take-${name}` }, word(label)), made);
  };
  const inputs = choice.unit === "px" ? [input("size", "longest_side", 16, state.limits.max_size ?? 20000)] : [input("width", "width_cm", 1, 500), input("dpi", "dpi", 30, 1200)];
  return el("div", { class: "sheet-row" }, el("div", { class: "chips", role: "group", "aria-label": word("size") }, ...units),
    el("div", { class: "inline" }, ...inputs), el("p", { id: "take-told", "aria-live": "polite" }),
    el("div", { class: "inline", id: "take-large" }, button("print", word("paint_large"), paintLarge), el("span", { class: "muted", id: "take-large-told" })));
}

function tellSize() {
  const asked = longest() ?? painted();
  $("take-told").textContent = sizeTold(Math.min(asked, painted()), choice.unit === "cm" ? savedDpi() : choice.dpi);
  $("take-large").hidden = asked <= painted();
  $("take-large-told").textContent = sizeTold(asked, choice.dpi);
}

/** Pixels and centimetres of the picture with this longest side. */
function sizeTold(side, dpi) {
  const [w, h] = [state.shown.width, state.shown.height].map((each) => Math.round((each * side) / painted()));
  const cm = [w, h].map((each) => number((each / dpi) * CM_PER_INCH, 1));
  return word("size_told", { w: number(w), h: number(h), cw: cm[0], ch: cm[1], dpi: number(dpi, 1) });
}

function paintLarge() {
  const { width, height, id } = state.shown;
  const tall = Math.round(choice.width * (height / width) * 10) / 10;
  $("take-dialog").close();
  paintPrint(id, choice.unit === "px" ? { size: choice.size } : { print: `${choice.width}x${tall}cm`, dpi: choice.dpi });
}

function actions() {
  const save = button("save", word("save_file"), saveFile, { class: "primary", id: "save" });
  const row = el("div", { class: "sheet-actions" }, save);
  const probe = new File([""], "a.png", { type: "image/png" });
  if (navigator.canShare?.({ files: [probe] })) row.append(button("share", word("share"), share));
  if (globalThis.isSecureContext && navigator.clipboard?.write) row.append(button("copy", word("copy"), copy));
  return row;
}

function download(href, name) {
  const link = el("a", { href, download: name });
  document.body.append(link);
  link.click();
  link.remove();
}

function downloadBlob(blob, name) {
  const url = URL.createObjectURL(blob);
  download(url, name);
  setTimeout(() => URL.revokeObjectURL(url), KEEP);
}

/** Save the copy that this browser keeps, where the server can't give the painting. */
function saveCopy() {
  if (!state.shown?.picture) return;
  downloadBlob(state.shown.picture, fileName("webp"));
  notice(word("saved"), { seconds: 4 });
}

async function saveFile() {
  const name = fileName(onServer ? choice.format : "webp");
  const { id, picture } = state.shown;
  const wanted = paintingUrl(id, { ...options(), download: 1 });
  $("take-dialog").close();
  const telling = notice(word("writing"), {});
  try {
    downloadBlob(onServer ? await fetchBlob(wanted) : picture, name); // no link to the server: so a refusal can be told, and the name is ours
    notice(word("saved"), { seconds: 4 });
  } catch (error) {
    tellError(error, picture ? [[word("save_copy"), saveCopy]] : []);
  } finally {
    telling.close();
  }
}

async function share() {
  try {
    const blob = onServer ? await fetchBlob(paintingUrl(state.shown.id, options())) : state.shown.picture;
    await navigator.share({ files: [new File([blob], fileName(onServer ? choice.format : "webp"), { type: blob.type })] });
  } catch (error) {
    if (error.name !== "AbortError") tellError(error, [[word("save_file"), saveFile]]);
  }
}

async function copy() {
  try {
    const blob = fetchBlob(paintingUrl(state.shown.id, options("png"))); // a promise: Safari wants it so
    await navigator.clipboard.write([new ClipboardItem({ "image/png": blob })]);
    notice(word("copied"), { seconds: 4 });
  } catch (error) {
    tellError(error, [[word("save_file"), saveFile]]);
  }
}
