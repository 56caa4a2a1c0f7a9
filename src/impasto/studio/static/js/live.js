// Paint a camera or a film file live: one frame goes to the studio, and the next when that has come back.
import { leaveLive, paintLive } from "./api.js";
import { $, button, el } from "./dom.js";
import { notice, say, tellError } from "./notice.js";
import { paintApart } from "./painting.js";
import { send } from "./pictures.js";
import { state, update, watch } from "./state.js";
import { number, onLanguage, word } from "./words.js";

const SIZES = [160, 192, 256, 320]; // longest sides in pixels
const FIRST = 256;
const SLOW = 3, FAST = 12; // frames a second, below and above which the size changes
const SETTLE = 8; // frames between two changes of the size
const QUALITY = 0.8;
const MEAN = 0.2; // weight of the newest frame in what is told
const BUSY = [429, 503];

let takePhoto = () => {};
let source = null; // the video that is painted
let ending = new AbortController();
let told = { rate: 0, latency: 0, size: 0 };

export function startLive(take) {
  takePhoto = take;
  for (const each of document.querySelectorAll(".live-open")) each.addEventListener("click", open);
  $("live-file").addEventListener("change", () => {
    const [file] = $("live-file").files;
    $("live-file").value = "";
    if (file) fromFile(file);
  });
  $("live-stop").addEventListener("click", () => stop());
  $("still").addEventListener("click", still);
  document.addEventListener("visibilitychange", () => { if (document.hidden && state.live) stop("live_hidden"); });
  addEventListener("pagehide", () => stop());
  watch(["live"], show);
  watch(["photo"], () => { if (state.live && state.photo?.id !== source?.photo) stop(); });
  onLanguage(tell);
}

/** Ask what to paint: the camera, or a file. */
function open() {
  if (state.live) return;
  const dialog = $("live-dialog");
  const camera = globalThis.isSecureContext && navigator.mediaDevices;
  const from = (work) => () => { dialog.close(); work(); };
  const use = button("camera", word("live_camera"), from(fromCamera), { class: "primary", id: "live-camera" });
  use.disabled = !camera;
  dialog.replaceChildren(
    el("div", { class: "sheet-head" }, el("h2", { id: "live-title" }, word("live")), button("close", word("close"), () => dialog.close(), { class: "quiet square", quietly: true })),
    el("p", {}, word("live_text")), ...(camera ? [] : [el("p", { class: "muted" }, word("camera_needs"))]),
    el("div", { class: "sheet-actions" }, use, button("file", word("live_file"), from(() => $("live-file").click()), {})));
  dialog.showModal();
}

async function fromCamera() {
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 1280 }, facingMode: "environment" } });
  } catch {
    notice(word("camera_none"), { error: true });
    return;
  }
  const video = el("video", { playsinline: true });
  video.muted = true;
  video.srcObject = stream;
  await begin(video, () => { for (const track of stream.getTracks()) track.stop(); video.srcObject = null; });
}

async function fromFile(file) {
  const url = URL.createObjectURL(file);
  const video = el("video", { playsinline: true, loop: true });
  video.muted = true;
  video.src = url;
  await begin(video, () => { video.pause(); video.removeAttribute("src"); video.load(); URL.revokeObjectURL(url); });
}

/** The first frame is the photo, so that every style is shown on it. */
async function begin(video, close) {
  try {
    await video.play();
    await new Promise((done) => ("requestVideoFrameCallback" in video ? video.requestVideoFrameCallback(done) : setTimeout(done, 200)));
    const before = state.photo?.id;
    await takePhoto(await frame(video, Infinity, "camera.jpg"));
    if (!state.photo || state.photo.id === before) { close(); return; } // which was told
  } catch (error) {
    close();
    tellError(error.name === "NotSupportedError" || error.name === "AbortError" ? new Error(word("live_unreadable")) : error);
    return;
  }
  source = { video, close, photo: state.photo.id };
  ending = new AbortController();
  told = { rate: 0, latency: 0, size: FIRST };
  if (!state.chosen.length) {
    const style = state.styles.find(({ kind }) => kind === "gallery") ?? state.styles[0];
    update({ chosen: [{ key: style.key, title: style.title, weight: 1, mask: null }] });
  }
  update({ live: true, shown: null, view: "painting" });
  say(word("live_begun"));
  run(video, ending.signal);
}

/** What a video shows now, as a JPEG file with at most so many pixels a side. */
async function frame(video, longest, name = "frame.jpg") {
  const scale = Math.min(1, longest / Math.max(video.videoWidth, video.videoHeight));
  const canvas = new OffscreenCanvas(Math.max(1, Math.round(video.videoWidth * scale)), Math.max(1, Math.round(video.videoHeight * scale)));
  canvas.getContext("2d").drawImage(video, 0, 0, canvas.width, canvas.height);
  const blob = await canvas.convertToBlob({ type: "image/jpeg", quality: longest === Infinity ? 0.95 : QUALITY });
  return new File([blob], name, { type: blob.type });
}

async function run(video, signal) {
  let since = 0;
  while (!signal.aborted) {
    const began = performance.now();
    try {
      const style = state.chosen[0]?.key;
      if (!style) { await pause(200); continue; }
      const { picture, others } = await paintLive(await frame(video, told.size), style, told.size, signal);
      const image = await createImageBitmap(picture);
      if (signal.aborted) return;
      draw(image);
      const took = performance.now() - began;
      since = measure(took, since + 1);
      $("live-others").hidden = !others;
    } catch (error) {
      if (signal.aborted) return;
      if (!BUSY.includes(error.status) || !told.latency) { stop(); tellError(error); return; }
      await pause(1000 * (error.retryAfter || 0.5));
    }
  }
}

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

function draw(image) {
  const canvas = $("live-picture");
  if (canvas.width !== image.width || canvas.height !== image.height) Object.assign(canvas, { width: image.width, height: image.height });
  canvas.getContext("2d").drawImage(image, 0, 0);
  canvas.hidden = false;
  image.close();
}

/** Note how long a frame took, and change the size where that is very slow or very fast. */
function measure(took, since) {
  told.latency = told.latency ? told.latency + MEAN * (took - told.latency) : took;
  told.rate = 1000 / told.latency;
  tell();
  const at = SIZES.indexOf(told.size);
  const step = told.rate < SLOW ? -1 : told.rate > FAST ? 1 : 0;
  if (since < SETTLE || !step || !SIZES[at + step]) return since;
  told.size = SIZES[at + step];
  return 0;
}

function tell() {
  const values = { rate: number(told.rate, 1), ms: number(told.latency), size: number(told.size) };
  $("live-told").textContent = told.latency ? word("live_told", values) : word("starting");
}

function show() {
  document.body.classList.toggle("live", state.live);
  $("live-bar").hidden = !state.live;
  $("live-picture").hidden = true;
  tell();
}

function stop(why = "") {
  if (!source) return;
  ending.abort();
  source.close();
  source = null;
  update({ live: false });
  leaveLive().catch(() => {});
  if (why) notice(word(why));
}

/** Paint what is seen now as a picture of its own; it goes to the other results. */
async function still() {
  const key = state.chosen[0]?.key;
  if (!source || !key) return;
  $("still").disabled = true;
  try {
    const taken = await send(await frame(source.video, Infinity, "camera.jpg"), "camera.jpg", "photo");
    const style = key.startsWith("picture:") ? { picture: key.slice(8) } : { name: key };
    await paintApart({ photo: taken.id, styles: [{ ...style, weight: 1 }], effort: "draft", boldness: state.boldness });
    say(word("live_taken"));
  } catch (error) {
    tellError(error);
  } finally {
    $("still").disabled = false;
  }
}
