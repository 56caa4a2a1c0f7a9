// Take a photo: a phone's own camera app, or the camera of a desk shown here.
import { $, button, el } from "./dom.js";
import { notice } from "./notice.js";
import { word } from "./words.js";

const QUALITY = 0.95;

/** @param {(file: File) => void} take is given the photo */
export function startCamera(take) {
  $("camera").addEventListener("click", () => {
    if (matchMedia("(pointer: coarse)").matches) $("camera-file").click();
    else openCamera(take);
  });
}

async function openCamera(take) {
  const file = [[word("choose_photo"), () => $("photo-file").click()]];
  if (!globalThis.isSecureContext || !navigator.mediaDevices) {
    notice(word("camera_needs"), { error: true, actions: file });
    return;
  }
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 4096 }, facingMode: "environment" } });
  } catch {
    notice(word("camera_none"), { error: true, actions: file });
    return;
  }
  show(stream, take);
}

function show(stream, take) {
  const dialog = $("camera-dialog");
  const video = el("video", { autoplay: true, playsinline: true, muted: true, "aria-label": word("take_photo") });
  video.srcObject = stream;
  const shoot = async () => {
    const file = await still(video);
    dialog.close();
    take(file);
  };
  dialog.replaceChildren(
    el("div", { class: "sheet-head" }, el("h2", { id: "camera-title" }, word("take_photo")), button("close", word("close"), () => dialog.close(), { class: "quiet square", quietly: true })),
    video, el("div", { class: "sheet-actions" }, button("camera", word("take_photo"), shoot, { class: "primary", id: "shoot" })));
  dialog.addEventListener("close", () => { for (const track of stream.getTracks()) track.stop(); video.srcObject = null; }, { once: true });
  dialog.showModal();
}

/** What the camera sees now, as a JPEG file. */
async function still(video) {
  const canvas = new OffscreenCanvas(video.videoWidth, video.videoHeight);
  canvas.getContext("2d").drawImage(video, 0, 0);
  const blob = await canvas.convertToBlob({ type: "image/jpeg", quality: QUALITY });
  return new File([blob], "camera.jpg", { type: blob.type });
}
