// Pictures coming in: dropped, pasted, picked, from the camera.
import { startCamera } from "./camera.js";
import { isClip } from "./clip.js";
import { $ } from "./dom.js";
import { word } from "./words.js";
import { notice } from "./notice.js";
import { state } from "./state.js";

/** @param {{photo: (file: File) => void, style: (files: File[]) => void}} take what is done with a picture */
export function startIntake(take) {
  const pick = (id, work) => $(id).addEventListener("change", () => {
    const files = [...$(id).files];
    $(id).value = "";
    if (files.length) work(files);
  });
  pick("photo-file", ([file]) => take.photo(file));
  pick("camera-file", ([file]) => take.photo(file));
  pick("style-file", (files) => take.style(files));
  $("choose").addEventListener("click", () => $("photo-file").click());
  $("other-photo").addEventListener("click", () => $("photo-file").click());
  startCamera(take.photo);
  document.addEventListener("paste", (event) => {
    if (isText(event.target)) return;
    const files = picturesIn(event.clipboardData);
    const why = files.length ? null : whyNone(event.clipboardData);
    if (why) notice(word(why), { error: true });
    if (!files.length) return;
    event.preventDefault();
    if (state.photo && event.target.closest?.("#panel-styles")) take.style(files);
    else take.photo(files[0]);
  });
  startDrop(take);
}

// Pictures that many browsers know no type of: HEIC, and what the studio refuses by its kind.
const NAMES = /\.(heic|heif|hif|avif|jxl|jxr|hdp|wdp|jls|jp2|qoi|psd|xcf|svg|tiff?|dng|cr2|cr3|crw|nef|nrw|arw|sr2|raf|orf|rw2|pef|srw|raw|3fr|iiq|rwl|webp|png|jpe?g|gif|bmp)$/i;

const foldersIn = (data) => new Set([...(data?.items ?? [])].map((item) => item.webkitGetAsEntry?.()).filter((entry) => entry?.isDirectory).map(({ name }) => name));

/** The files of a drop or paste that may be pictures. */
function picturesIn(data) {
  const folders = foldersIn(data);
  return [...(data?.files ?? [])].filter(({ name }) => !folders.has(name)).filter(({ type, name }) => type.startsWith("image/") || isClip({ type, name }) || NAMES.test(name));
}

/** What to tell of a drop or paste that has no picture; null if it is nothing of this page's concern. */
function whyNone(data) {
  if (foldersIn(data).size) return "no_folder";
  if (data?.files.length) return "no_picture";
  const text = data?.getData("text/uri-list") || data?.getData("text/plain") || "";
  return /^\s*(https?|ftp|file|blob|data):/i.test(text) ? "no_address" : null;
}

const isText = (node) => Boolean(node.closest?.("input:not([type=range], [type=radio], [type=checkbox]), textarea"));

function startDrop(take) {
  const comes = (event) => { // an address too: else the browser would leave the page for it
    const types = event.dataTransfer?.types ?? [];
    return !own && (types.includes("Files") || (types.includes("text/uri-list") && !isText(event.target)));
  };
  let depth = 0;
  let own = false; // something of this page is dragged
  document.addEventListener("dragstart", () => { own = true; });
  document.addEventListener("dragend", () => { own = false; });
  const show = (on) => {
    document.body.classList.toggle("dropping", on);
    $("drop").hidden = !on || !state.photo;
    if (!on) depth = 0;
  };
  document.addEventListener("dragenter", (event) => { if (comes(event)) { depth += 1; show(true); } });
  document.addEventListener("dragleave", (event) => { if (comes(event) && (depth -= 1) <= 0) show(false); });
  document.addEventListener("dragover", (event) => {
    if (!comes(event)) return;
    event.preventDefault();
    for (const half of $("drop").children) half.classList.toggle("over", half === event.target.closest("#drop > div"));
  });
  document.addEventListener("drop", (event) => {
    if (!comes(event)) return;
    event.preventDefault();
    const as = event.target.closest?.("#drop > div")?.dataset.as ?? "photo";
    show(false);
    const files = picturesIn(event.dataTransfer);
    if (!files.length) notice(word(whyNone(event.dataTransfer) ?? "no_picture"), { error: true });
    else if (as === "style" && state.photo) take.style(files);
    else take.photo(files[0]);
  });
}
