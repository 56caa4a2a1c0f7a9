// A painted clip on the stage.
import { clipUrl } from "./api.js";
import { $ } from "./dom.js";
import { tellError } from "./notice.js";
import { state, watch } from "./state.js";
import { word } from "./words.js";

let shown = null; // the result whose clip is on the stage
let local = ""; // object URL of the copy that the browser keeps

export function startFilm() {
  const film = $("film");
  film.addEventListener("error", () => { if (shown && film.getAttribute("src")) fallBack(); });
  watch(["shown", "live", "job"], show);
}

function show() {
  const film = $("film");
  const result = state.shown?.film && !state.live && !state.job ? state.shown : null;
  film.hidden = !result;
  if (result?.id === shown?.id) return;
  shown = result;
  URL.revokeObjectURL(local);
  local = "";
  film.pause();
  if (!result) { film.removeAttribute("src"); film.load(); return; }
  film.setAttribute("aria-label", word("painting_alt", { title: result.title }));
  film.src = clipUrl(result.id);
  if (!matchMedia("(prefers-reduced-motion: reduce)").matches) film.play().catch(() => {}); // some browsers wait for a touch
}

/** The server has forgotten the clip: play the copy that is kept here. */
function fallBack() {
  if (local || !shown.film.file) { tellError(new Error(word("clip_gone"))); return; }
  local = URL.createObjectURL(shown.film.file);
  $("film").src = local;
}
