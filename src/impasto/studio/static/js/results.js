// The results of this browser: kept over a reload, shown in a strip, taken up again.
import { clipUrl, fetchBlob, forgetJob, paintingUrl, previewUrl } from "./api.js";
import { $, button, el, icon } from "./dom.js";
import { dropResult, keepResult, keptResults } from "./kept.js";
import { tellError } from "./notice.js";
import { state, update, watch } from "./state.js";
import { onLanguage, word } from "./words.js";

const QUALITY = 92; // of the copy kept here; the whole painting is on the server
const LONGEST = 2400; // px, likewise
const MOST_FILM = 32e6; // bytes of a painted clip, likewise

let onOpen = () => {};

export async function startResults(open) {
  onOpen = open;
  watch(["results", "shown"], draw);
  onLanguage(draw);
  update({ results: (await keptResults()).map(usable) });
}

/** A kept result, with a way to its picture. */
function usable(kept) {
  let url;
  const address = async () => (url ??= URL.createObjectURL(kept.picture));
  return { ...kept, address };
}

/** Keep what a job painted and show it, in place of the draft before it. */
export async function addResult(job, before, title) {
  const picture = await fetchBlob(job.film ? previewUrl(job.id, job.preview) : paintingUrl(job.id, { format: "webp", quality: QUALITY, longest: LONGEST }));
  const film = job.film ? { ...job.film, file: job.film.bytes <= MOST_FILM ? await fetchBlob(clipUrl(job.id)) : null } : null;
  const kept = {
    id: job.id, when: Date.now(), title, request: job.request, recipe: job.recipe ?? null, state: job.state,
    width: job.width, height: job.height, picture, film, photoName: state.photo?.name ?? "",
  };
  if (before) {
    await dropResult(before);
    forgetJob(before).catch(() => {}); // the server forgets it by itself later
  }
  await keepResult(kept);
  const result = usable(kept);
  const others = state.results.filter(({ id }) => id !== before && id !== job.id);
  const changes = { results: [result, ...others] };
  if (job.request.photo === state.photo?.id) Object.assign(changes, { shown: result, colour: job.request.settings?.colour ?? "style" });
  update(changes);
}

export async function forget(result) {
  await dropResult(result.id);
  forgetJob(result.id).catch((error) => { if (error.status !== 404) tellError(error); });
  const results = state.results.filter(({ id }) => id !== result.id);
  update({ results, ...(state.shown?.id === result.id && { shown: null, view: "painting" }) });
}

const ON_WELCOME = 6;

function draw() {
  document.body.classList.toggle("has-result", state.results.length > 0);
  drawInto($("results-list"), state.results);
  $("welcome-results").hidden = state.results.length === 0;
  drawInto($("welcome-results").querySelector("ul"), state.results.slice(0, ON_WELCOME));
}

function drawInto(list, results) {
  const known = new Map([...list.children].map((node) => [node.dataset.id, node]));
  list.replaceChildren(...results.map((result) => {
    const node = known.get(result.id) ?? item(result);
    const open = node.querySelector(".open");
    open.setAttribute("aria-label", word("take_up", { title: result.title }));
    open.title = result.title;
    open.setAttribute("aria-current", String(result.id === state.shown?.id));
    node.querySelector(".forget").setAttribute("aria-label", word("forget", { title: result.title }));
    return node;
  }));
}

function item(result) {
  const image = el("img", { alt: "", loading: "lazy" });
  result.address().then((url) => { image.src = url; });
  return el("li", { class: "result", "data-id": result.id },
    el("button", { type: "button", class: "open", onclick: () => onOpen(result) }, image, result.film && el("span", { class: "film-mark" }, icon("play"))),
    button("close", "", () => forget(result), { class: "forget", quietly: true }));
}
