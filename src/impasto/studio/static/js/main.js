// Starts the page: words first, then the parts, then what the server knows of this browser.
import { ownStyle, takePhoto, takeStyles, takeUp, usePhoto } from "./actions.js";
import { getJobs, getLimits, getMethods, getStyles } from "./api.js";
import { startBeside } from "./beside.js";
import { startClip } from "./clip.js";
import { startDials } from "./dials.js";
import { $ } from "./dom.js";
import { startFilm } from "./film.js";
import { isOver } from "./follow.js";
import { startGallery, styleTitle } from "./gallery.js";
import { startIntake } from "./intake.js";
import { keptPictures } from "./kept.js";
import { effortsOf } from "./kinds.js";
import { openMask, startMask } from "./mask/editor.js";
import { startLive } from "./live.js";
import { startMix } from "./mix.js";
import { tellError } from "./notice.js";
import { collect, paint, resume, stop } from "./painting.js";
import { startProgress } from "./progress.js";
import { choicesOf } from "./request.js";
import { startResults } from "./results.js";
import { startSettings } from "./settings.js";
import { startShortcuts } from "./shortcuts.js";
import { startStage } from "./stage.js";
import { CHOICE_NAMES, EFFORTS, recall, remember, state, update, watch } from "./state.js";
import { startTabs } from "./tabs.js";
import { startTake } from "./take.js";
import { startTheme } from "./theme.js";
import { loadWords, onLanguage, word } from "./words.js";

function startParts() {
  startTheme();
  startTabs();
  startDials();
  startSettings();
  startGallery({ choose: () => state.live || state.photo.clip || paint(state.effort === "draft" ? ["draft"] : ["draft", "quick"]), add: () => $("style-file").click() });
  startMix(openMask);
  startStage(() => paint());
  startBeside();
  startProgress(stop);
  startMask();
  startClip();
  startFilm();
  startLive(takePhoto);
  startTake();
  startShortcuts();
  startIntake({ photo: takePhoto, style: takeStyles });
  startPaintButton();
}

function startPaintButton() {
  $("paint").addEventListener("click", () => paint());
  $("finer").addEventListener("click", () => { const next = finer(); update({ effort: next }); paint([next]); });
  const show = () => {
    $("paint").disabled = !state.photo || !state.chosen.length || state.live;
    const onlyOne = effortsOf(state.chosen.map(({ key }) => key)).length === 1;
    const effort = word(`effort_${state.effort}`, {}, state.effort).toLocaleLowerCase();
    $("paint-text").textContent = state.chosen.length ? (state.photo?.clip ? word("paint_clip") : state.method || onlyOne ? word("paint") : word("paint_effort", { effort })) : word("choose_style");
    const next = finer();
    $("finer").hidden = !next || !state.shown || Boolean(state.job) || Boolean(state.shown.film);
    if (next) $("finer-text").textContent = word("paint_finer", { effort: word(`effort_${next}`).toLocaleLowerCase() });
  };
  watch(["photo", "chosen", "effort", "method", "shown", "job", "live"], show);
  watch(CHOICE_NAMES, () => { if (state.photo) remember(); });
  onLanguage(show);
}

/** The next effort after that of the shown result; nothing after the last, or for a method of one's own choice. */
function finer() {
  const now = state.shown?.request.effort;
  if (!now || state.shown.request.method) return undefined;
  const efforts = effortsOf(state.chosen.map(({ key }) => key));
  return efforts[efforts.indexOf(now) + 1];
}

async function learn() {
  const [methods, styles, limits] = await Promise.all([getMethods(), getStyles(), getLimits()]);
  const own = (await keptPictures()).filter(({ kind }) => kind === "style").map(({ id, name }) => ownStyle(id, name));
  const titles = [...styles.gallery, ...styles.drawn].map(({ title }) => title);
  const twice = (title) => titles.indexOf(title) !== titles.lastIndexOf(title);
  const known = (list, kind) => list.map((style) => ({ ...style, title: twice(style.title) ? `${style.title} (${style.name})` : style.title, key: style.name, kind }));
  update({
    methods: methods.methods, shared: methods.shared ?? { properties: {} }, efforts: methods.efforts?.map((each) => each.name ?? each) ?? EFFORTS, limits,
    kindEfforts: styles.efforts ?? {},
    styles: [...own, ...known(styles.gallery, "gallery"), ...known(styles.drawn, "drawn")],
  });
}

/** After a reload: the job that is under way, else what was open. */
async function comeBack() {
  const kept = recall();
  const jobs = await getJobs();
  const running = jobs.find((job) => !isOver(job));
  const choices = Object.fromEntries(CHOICE_NAMES.filter((name) => name in kept).map((name) => [name, kept[name]]));
  if (!state.photo) update(choices); // a photo that came meanwhile has choices of its own
  await collect(jobs);
  const photo = running?.request?.photo ?? kept.photo;
  if (!photo || state.photo || !(await usePhoto(photo).catch(() => false))) return;
  if (running) {
    if (running.request?.styles) update(choicesOf(running.request, styleTitle));
    resume(running);
    return;
  }
  const last = state.results.find((result) => result.request.photo === photo);
  if (last) update({ shown: last });
  const newest = jobs[0];
  if (state.ahead.length && newest?.request?.photo === photo) resume(newest);
}

async function start() {
  await loadWords();
  startParts();
  document.body.classList.add("ready");
  try {
    await learn();
    await startResults(takeUp);
    await comeBack();
  } catch (error) {
    tellError(error, [[word("try_again"), () => location.reload()]]);
  }
}

start();
