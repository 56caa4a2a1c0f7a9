// Pictures on the server: sent once, kept in the browser, sent again where the server forgot them.
import * as api from "./api.js";
import { keepPicture, keptPicture } from "./kept.js";

const sending = new Map(); // id -> promise of its id on the server: asked for once at a time
const MOST_KEPT = 32e6; // bytes of a clip that the browser keeps too
const renamed = new Map(); // old id -> new id, after a picture was sent again

/** Send a picture and keep it here. */
export async function send(blob, name, kind) {
  const told = await (kind === "clip" ? api.sendClip : api.sendPicture)(blob, name);
  const small = kind !== "clip" || blob.size <= MOST_KEPT;
  await keepPicture({ id: told.id, blob: small ? blob : null, name, kind, width: told.width, height: told.height, clip: told.clip ?? null });
  return told;
}

/** The id under which a picture was sent last. */
export const latest = (id) => (renamed.has(id) ? latest(renamed.get(id)) : id);

/** The id under which the server has a picture now; null if neither side has it any more. */
export function ensure(id) {
  if (!sending.has(id)) sending.set(id, sendWhereLost(id).finally(() => sending.delete(id)));
  return sending.get(id);
}

async function sendWhereLost(id) {
  const now = latest(id);
  if (await api.hasPicture(now)) return now;
  const kept = (await keptPicture(now)) ?? (await keptPicture(id));
  if (!kept?.blob) return null;
  const told = await send(kept.blob, kept.name, kept.kind);
  renamed.set(now, told.id);
  return told.id;
}

/** The same request with ids that the server has; null if its photo is lost. Lost styles and masks are left out. */
export async function ensureRequest(request) {
  const photo = await ensure(request.photo);
  if (!photo) return null;
  const styles = [];
  for (const style of request.styles ?? []) {
    const picture = style.picture ? await ensure(style.picture) : undefined;
    if (style.picture && !picture) continue;
    const mask = style.mask ? await ensure(style.mask) : undefined;
    styles.push({ ...style, ...(picture && { picture }), mask: mask ?? undefined });
  }
  return { ...request, photo, styles };
}
