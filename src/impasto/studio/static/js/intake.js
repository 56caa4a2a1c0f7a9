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
    const files = picturesIn(event.clipboardData);
    if (!files.length) return;
    event.preventDefault();
    if (state.photo && event.target.closest?.("#panel-styles")) take.style(files);
    else take.photo(files[0]);
  });
  startDrop(take);
}

/** The files of a drop or paste that may be pictures. HEIC has no type in many browsers, so a name will do. */
function picturesIn(data) {
  const files = [...(data?.files ?? [])];
  return files.filter(({ type, name }) => type.startsWith("image/") || isClip({ type, name }) || /\.(heic|heif|avif|jxl|tiff?|dng|webp|png|jpe?g)$/i.test(name));
}

function startDrop(take) {
  const holdsFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  let depth = 0;
  const show = (on) => {
    document.body.classList.toggle("dropping", on);
    $("drop").hidden = !on || !state.photo;
    if (!on) depth = 0;
  };
  document.addEventListener("dragenter", (event) => { if (holdsFiles(event)) { depth += 1; show(true); } });
  document.addEventListener("dragleave", (event) => { if (holdsFiles(event) && (depth -= 1) <= 0) show(false); });
  document.addEventListener("dragover", (event) => {
    if (!holdsFiles(event)) return;
    event.preventDefault();
    for (const half of $("drop").children) half.classList.toggle("over", half === event.target.closest("#drop > div"));
  });
  document.addEventListener("drop", (event) => {
    if (!holdsFiles(event)) return;
    event.preventDefault();
    const as = event.target.closest?.("#drop > div")?.dataset.as ?? "photo";
    show(false);
    const files = picturesIn(event.dataTransfer);
    if (!files.length) notice(word("no_picture"), { error: true });
    else if (as === "style" && state.photo) take.style(files);
    else take.photo(files[0]);
  });
}
