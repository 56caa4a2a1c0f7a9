// Take a painted clip home: the file, or share it.
import { clipUrl, fetchBlob, getJob } from "./api.js";
import { lengthOf } from "./clip.js";
import { $, button, el } from "./dom.js";
import { notice, tellError } from "./notice.js";
import { state } from "./state.js";
import { number, word } from "./words.js";

const KEEP = 60_000; // milliseconds that the browser has to write a file

const nameOf = ({ photoName, title }) =>
  `${`${photoName.replace(/\.[^.]*$/, "")} ${title}`.replace(/[^\p{L}\p{N} _+-]/gu, "").trim().replace(/\s+/g, "-").slice(0, 80) || "clip"}.mp4`;

export function openTakeClip() {
  const dialog = $("take-dialog");
  const { film, width, height } = state.shown;
  const told = ["MP4", `${width} × ${height}`, lengthOf(film), `${number(film.bytes / 1e6, 1)} MB`, film.sound && word("clip_sound")];
  const row = el("div", { class: "sheet-actions" }, button("save", word("save_file"), save, { class: "primary", id: "save" }));
  if (navigator.canShare?.({ files: [new File([""], "a.mp4", { type: "video/mp4" })] })) row.append(button("share", word("share"), share));
  dialog.replaceChildren(
    el("div", { class: "sheet-head" }, el("h2", { id: "take-title" }, word("take_home")), button("close", word("close"), () => dialog.close(), { class: "quiet square", quietly: true })),
    el("p", {}, told.filter(Boolean).join(" · ")), el("p", { class: "muted" }, word("recipe_inside")), row);
  if (!dialog.open) dialog.showModal();
}

/** The file; from the server, or the copy that the browser keeps. */
async function file(result) {
  return result.film.file ?? fetchBlob(clipUrl(result.id));
}

async function save() {
  const result = state.shown;
  $("take-dialog").close();
  try {
    let href = `${clipUrl(result.id)}?download=1`; // straight to the disk: a clip may be large
    if (result.film.file) href = URL.createObjectURL(result.film.file);
    else await getJob(result.id);
    const link = el("a", { href, download: nameOf(result) });
    document.body.append(link);
    link.click();
    link.remove();
    if (result.film.file) setTimeout(() => URL.revokeObjectURL(href), KEEP);
    notice(word("saved"), { seconds: 4 });
  } catch (error) {
    tellError(error.status === 404 ? new Error(word("clip_gone")) : error);
  }
}

async function share() {
  const result = state.shown;
  try {
    await navigator.share({ files: [new File([await file(result)], nameOf(result), { type: "video/mp4" })] });
  } catch (error) {
    if (error.name !== "AbortError") tellError(error, [[word("save_file"), save]]);
  }
}
