// What a picture that comes in, or a result that is taken up again, does to the page.
import { fetchBlob, pictureUrl } from "./api.js";
import { isClip, mayMove } from "./clip.js";
import { $, decodes } from "./dom.js";
import { draw, pick, styleTitle } from "./gallery.js";
import { keptPicture } from "./kept.js";
import { notice, say, tellError } from "./notice.js";
import { ensure, ensureRequest, send } from "./pictures.js";
import { choicesFromRecipe } from "./recipe.js";
import { choicesOf } from "./request.js";
import { remember, state, update } from "./state.js";
import { showTab } from "./tabs.js";
import { number, word } from "./words.js";

const STAGE_LONGEST = 2048;

function tooLarge(file, most = state.limits.max_bytes) {
  if (!most || file.size <= most) return false;
  notice(word("too_large", { name: file.name, size: number(file.size / 1e6, 1), most: number(most / 1e6) }), { error: true });
  return true;
}

/** Take a file as the photo: shown at once where the browser can read it, then sent. */
export async function takePhoto(file) {
  if (mayMove(file) && state.limits.clips?.installed) { await takeClip(file); return; }
  if (isClip(file)) { notice(word("clip_extra"), { error: true }); return; }
  if (tooLarge(file)) return;
  const local = URL.createObjectURL(file);
  const early = await decodes(local);
  if (early) showEarly(local);
  const telling = notice(word("sending"), {});
  try {
    const told = await send(file, file.name, "photo");
    setPhoto(told, early ? local : pictureUrl(told.id, STAGE_LONGEST));
    if (told.recipe) offerRecipe(told, file);
    say(word("photo_ready", { name: told.name ?? file.name }));
  } catch (error) {
    if (state.photo) update({ photo: { ...state.photo } });
    else document.body.dataset.state = "empty";
    tellError(error, [[word("choose_photo"), () => $("photo-file").click()]]);
  } finally {
    telling.close();
  }
}

/** Take a file as the clip: its first frame is the photo. */
async function takeClip(file) {
  if (tooLarge(file, state.limits.clips.max_bytes)) return;
  const telling = notice(word("sending"), {});
  try {
    const told = await send(file, file.name, "clip");
    if (told.clip.frames < 2) delete told.clip; // a picture in a file for clips
    setPhoto(told, pictureUrl(told.id, STAGE_LONGEST));
    if (told.recipe) offerRecipe(told, file);
    say(word("photo_ready", { name: told.name ?? file.name }));
  } catch (error) {
    tellError(error, [[word("choose_photo"), () => $("photo-file").click()]]);
  } finally {
    telling.close();
  }
}

function showEarly(url) {
  document.body.dataset.state = "photo";
  $("after").hidden = true;
  const probe = new Image();
  probe.src = url;
  for (const node of [document.documentElement, $("viewport"), $("stage")]) node.style.setProperty("--ratio", probe.naturalWidth / probe.naturalHeight || 1.5);
  $("before").src = url;
}

/** Make a picture that the server has the photo. Masks belong to the photo before, so they go. */
function setPhoto(told, url) {
  update({
    photo: { id: told.id, width: told.width, height: told.height, name: told.name, palette: told.palette, url, clip: told.clip ?? null },
    shown: null, view: "painting", strength: 1, colour: "style", chosen: state.chosen.map((each) => ({ ...each, mask: null })),
  });
  remember();
}

/** Add paintings as styles of one's own, and choose the first. */
export async function takeStyles(files) {
  for (const [i, file] of files.entries()) {
    if (tooLarge(file)) continue;
    try {
      const told = await send(file, file.name, "style");
      const style = ownStyle(told.id, told.name ?? file.name);
      update({ styles: [style, ...state.styles] });
      if (told.recipe) offerRecipe(told, file);
      if (i === 0) pick(style, false);
    } catch (error) {
      tellError(error);
    }
  }
  showTab("styles");
}

export const ownStyle = (id, name) => ({ key: `picture:${id}`, title: (name || word("own_style")).replace(/\.[^.]*$/, ""), kind: "own" });

/** A painting by impasto was dropped in: offer its settings, and the painting as a style. */
function offerRecipe(told, file) {
  const choices = choicesFromRecipe(told.recipe);
  const use = () => {
    update(choices);
    remember();
    notice(word("recipe_taken"), { seconds: 6 });
  };
  const asStyle = () => {
    update({ styles: [ownStyle(told.id, file.name), ...state.styles] });
    draw();
  };
  notice(word("recipe_found", { name: file.name }), { actions: [[word("use_recipe"), use], [word("use_as_style"), asStyle]] });
}

/** Show a result again, with the photo and the choices that made it. */
export async function takeUp(result) {
  try {
    const request = await ensureRequest(result.request);
    if (!request) {
      notice(word("photo_lost"), { error: true });
      return;
    }
    await usePhoto(request.photo);
    for (const { picture } of request.styles) {
      if (picture && !state.styles.some(({ key }) => key === `picture:${picture}`)) update({ styles: [ownStyle(picture, ""), ...state.styles] });
    }
    update({ ...choicesOf(request, styleTitle), shown: { ...result, request }, strength: 1, colour: request.settings?.colour ?? "style", view: state.view === "mask" ? "painting" : state.view });
    remember();
    say(result.title);
  } catch (error) {
    tellError(error);
  }
}

/** Make a picture that was sent before the photo again. */
export async function usePhoto(id) {
  if (state.photo?.id === id) return true;
  const there = await ensure(id);
  if (!there) return false;
  const url = URL.createObjectURL(await fetchBlob(pictureUrl(there, STAGE_LONGEST)));
  const probe = new Image();
  probe.src = url;
  await probe.decode();
  const kept = await keptPicture(there);
  const clip = kept?.clip?.frames > 1 ? kept.clip : null;
  update({ shown: null, photo: { id: there, width: probe.naturalWidth, height: probe.naturalHeight, name: clip ? kept.name : "", url, clip } });
  return true;
}
