// Paint: the draft at once, then the effort that was asked for in its place; stop, busy, and a job found again.
import * as api from "./api.js";
import { markRecent } from "./favourites.js";
import { follow, isOver } from "./follow.js";
import { styleTitle } from "./gallery.js";
import { effortsOf } from "./kinds.js";
import { closeMask } from "./mask/editor.js";
import { notice, say, tellError } from "./notice.js";
import { ensureRequest } from "./pictures.js";
import { keyOf, requestOf, titleOf } from "./request.js";
import { addResult } from "./results.js";
import { remember, state, update } from "./state.js";
import { word } from "./words.js";

const WAIT = 4; // seconds before a busy studio is asked again

let turn = 0; // each painting has its number; a newer one ends the older
let leaving = new AbortController();

/** Paint what is chosen. Efforts are painted one after the other, each in place of the one before. */
export async function paint(efforts) {
  await closeMask(); // which is then part of the choice
  if (!state.photo || !state.chosen.length) return;
  const mine = await begin();
  if (mine !== turn) return; // something newer was begun meanwhile
  const steps = stepsOf(efforts ?? (state.effort === "draft" ? ["draft"] : ["draft", state.effort]));
  markRecent(state.chosen.map(({ key }) => key));
  remember();
  await attempt(mine, () => paintSteps(steps, mine, null), [[word("try_again"), () => paint(efforts)]]);
}

/** Paint these efforts, each in place of the result before. */
async function paintSteps(efforts, mine, before) {
  for (const [at, effort] of efforts.entries()) {
    update({ ahead: efforts.slice(at + 1) });
    const done = await paintOne(requestOf(effort), mine, before);
    if (mine !== turn || done?.state !== "done") return;
    before = done.id;
  }
}

/** Do some painting; tell of an error, and have nothing under way in the end, unless something newer has begun. */
async function attempt(mine, work, actions = []) {
  try {
    await work();
  } catch (error) {
    if (mine === turn) tellError(error, actions);
  } finally {
    if (mine === turn) update({ job: null, ahead: [] });
  }
}

/** The efforts to paint: one where a method decides, or where the styles know only one. */
function stepsOf(efforts) {
  const known = effortsOf(state.chosen.map(({ key }) => key));
  if (state.photo.clip) return [known.includes(state.effort) ? state.effort : known[0] ?? state.effort]; // no draft of a whole clip
  if (state.method || known.length < 2) return [known[0] ?? state.effort];
  return efforts.filter((effort) => known.includes(effort));
}

/** Paint a picture of its own, such as a still of a camera: its result goes to the others, and nothing else changes. */
export async function paintApart(request) {
  const last = await follow((await api.postJob(request)).id, () => {}, new AbortController().signal);
  if (last.state === "failed") throw new Error(last.error || word("failed"));
  await addResult({ ...last, request }, null, titleOf(request, styleTitle));
}

/** Paint the shown result large; size is {size} or {print, dpi}. */
export async function paintPrint(id, size) {
  const mine = await begin();
  if (mine !== turn) return;
  await attempt(mine, async () => watchOne(await api.printJob(id, size), mine, null, { print: true }));
}

/** Keep what was painted while nobody looked. */
export async function collect(jobs) {
  const known = new Set(state.results.map(({ id }) => id));
  for (const job of [...jobs].reverse()) {
    if (job.state === "done" && !known.has(job.id)) await addResult(job, null, titleOf(job.request, styleTitle)).catch(tellError);
  }
}

/** Go on after a reload: watch the job that was begun before, or take its result, and paint what was to come then. */
export async function resume(job) {
  turn += 1;
  const mine = turn;
  leaving = new AbortController();
  await attempt(mine, async () => {
    const done = isOver(job) ? job : await watchOne(job, mine, null);
    if (mine === turn && done?.state === "done") await paintSteps(state.ahead, mine, done.id);
  });
}

async function begin() {
  turn += 1;
  const mine = turn;
  leaving.abort();
  leaving = new AbortController();
  const { job } = state;
  if (job?.id && !isOver(job)) await api.stopJob(job.id).catch(() => {});
  return mine;
}

async function paintOne(wanted, mine, before) {
  const { signal } = leaving;
  let request = wanted;
  let fresh = null;
  for (;;) {
    update({ job: { state: "sending", request } });
    try {
      const job = await api.postJob(request);
      if (signal.aborted) { api.stopJob(job.id).catch(() => {}); return null; }
      return await watchOne({ ...job, state: "waiting", request }, mine, before);
    } catch (error) {
      if (error.name === "AbortError") return null;
      if (error.status === 404 && !fresh) {
        fresh = await sendAgain(request);
        if (!fresh) throw error;
        request = fresh;
        continue;
      }
      if (![429, 503].includes(error.status)) throw error;
      if (!(await waitForPlace(error, request, signal))) return null;
    }
  }
}

/** Send pictures again that the server forgot by age; null if they are lost here too. */
async function sendAgain(request) {
  const fresh = await ensureRequest(request);
  if (!fresh || fresh.styles.length !== request.styles.length) return null;
  const chosen = fresh.styles.map((style, i) => ({ ...state.chosen[i], key: keyOf(style), mask: style.mask ? { id: style.mask } : null }));
  update({ photo: { ...state.photo, id: fresh.photo }, chosen });
  return fresh;
}

/** A busy studio: count down, then try again; false if somebody stopped it. */
async function waitForPlace(error, request, signal) {
  say(word("busy"));
  for (let left = error.retryAfter || WAIT; left > 0; left -= 1) {
    update({ job: { state: "busy", request, left } });
    await new Promise((done) => setTimeout(done, 1000));
    if (signal.aborted) return false;
  }
  return true;
}

async function watchOne(job, mine, before, extra = {}) {
  const { signal } = leaving;
  let place = null;
  let known = job;
  const show = (now) => {
    if (mine !== turn) return;
    known = { ...known, lost: false, ...now, request: now.request ?? job.request };
    update({ job: known });
    if (now.lost) { place = null; return; }
    if (now.state === "waiting" && now.place > 0 && now.place !== place) say(word("place", { place: now.place }));
    place = now.place;
  };
  show(job);
  let last;
  try {
    last = await follow(job.id, show, signal);
  } catch (error) {
    if (error.name === "AbortError") return null;
    throw error;
  }
  if (last.state === "failed") throw new Error(last.error || word("failed"));
  const request = last.request ?? job.request;
  const painted = last.film ? true : last.picture ?? (last.state === "done" || last.preview > 0);
  if (painted) await addResult({ ...last, request, ...extra }, before, titleOf(request, styleTitle));
  if (last.state === "stopped") notice(word(painted ? "stopped_kept" : "stopped_empty"), { seconds: 5 });
  else say(word("painted", { title: titleOf(request, styleTitle) }));
  for (const problem of last.film?.problems ?? []) notice(problem);
  return last;
}

/** Stop the work and keep the picture so far. */
export async function stop() {
  const { job } = state;
  if (!job) return;
  if (!job.id) { // not sent yet, or waiting for a busy studio
    turn += 1;
    leaving.abort();
    update({ job: null, ahead: [] });
    return;
  }
  update({ job: { ...job, stopping: true } });
  await api.stopJob(job.id).catch(tellError);
}
