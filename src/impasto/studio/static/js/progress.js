// What is under way: place in the queue, how far, how long still, losses for those who open them.
import { $, el, svg } from "./dom.js";
import { effortsOf } from "./kinds.js";
import { keyOf } from "./request.js";
import { state, watch } from "./state.js";
import { number, onLanguage, percent, word } from "./words.js";

const MOST_POINTS = 120;
const history = new Map(); // name of a loss -> its values

export function startProgress(stop) {
  $("stop").addEventListener("click", stop);
  watch(["job"], show);
  onLanguage(show);
}

export function timeLeft(seconds) {
  if (seconds === null || seconds === undefined) return "";
  if (seconds < 90) return word("seconds_left", { n: number(Math.max(1, Math.ceil(seconds))) });
  return word("minutes_left", { n: number(Math.round(seconds / 60)) });
}

function textOf(job) {
  const one = effortsOf((job.request?.styles ?? []).map(keyOf)).length === 1;
  const effort = job.request?.method ?? (one ? "" : word(`effort_${job.request?.effort ?? "quick"}`));
  if (job.lost) return word("lost_waiting");
  if (job.state === "busy") return word("busy_again", { n: job.left });
  if (job.stopping) return word("stopping");
  if (job.state === "sending") return word("sending");
  if (job.state === "waiting") return job.place > 0 ? word("place", { place: job.place }) : word("starting");
  if (job.request?.film && job.total) {
    const rate = job.rate ? word("frames_a_second", { n: number(job.rate, 1) }) : "";
    return [word("frame_of", { n: number(job.index), total: number(job.total) }), rate, timeLeft(job.seconds_left)].filter(Boolean).join(" · ");
  }
  return [effort, percent(job.fraction ?? 0), timeLeft(job.seconds_left)].filter(Boolean).join(" · ");
}

/** What is done now. The server says it in English; parts that the table has are said in the user's language. */
function noteOf(job) {
  if (job.state !== "painting" || job.stopping || job.lost) return "";
  const parts = (job.note ?? "").split(": ").filter((part) => part && part !== "painting");
  return parts.map((part) => word(`doing_${part.replaceAll(" ", "_")}`, {}, part)).join(": ");
}

function show() {
  const { job } = state;
  $("progress").hidden = !job;
  document.body.classList.toggle("working", Boolean(job));
  if (!job) { history.clear(); $("losses").hidden = true; return; }
  $("progress-text").textContent = textOf(job);
  $("progress-note").textContent = noteOf(job);
  $("progress-note").hidden = $("progress-note").textContent === "";
  if (job.state === "painting" && !job.lost) $("progress-bar").value = job.fraction ?? 0;
  else $("progress-bar").removeAttribute("value");
  $("stop").disabled = Boolean(job.stopping);
  showLosses(job.losses ?? {});
}

function showLosses(losses) {
  const names = Object.keys(losses).filter((name) => Number.isFinite(losses[name]));
  $("losses").hidden = names.length === 0;
  for (const name of names) {
    const values = history.get(name) ?? [];
    if (values.at(-1) !== losses[name]) values.push(losses[name]);
    history.set(name, values.slice(-MOST_POINTS));
  }
  if ($("losses").open) $("losses-list").replaceChildren(...names.map((name) => line(name, losses[name])));
}

function line(name, value) {
  const values = history.get(name);
  const high = Math.max(...values), low = Math.min(...values);
  const points = values.map((each, i) => `${(i / Math.max(1, values.length - 1)) * 90},${20 - ((each - low) / (high - low || 1)) * 18}`);
  return el("div", { class: "loss" }, el("span", {}, name),
    svg("svg", { viewBox: "0 0 90 22", preserveAspectRatio: "none" }, svg("polyline", { points: points.join(" ") })),
    el("span", {}, value.toPrecision(4)));
}
