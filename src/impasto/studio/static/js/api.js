// The server's routes.

export class ApiError extends Error {
  constructor(status, message, retryAfter = 0) {
    super(message);
    this.status = status;
    this.retryAfter = retryAfter;
  }
}

async function ask(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, { credentials: "same-origin", ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, "");
  }
  if (answer.ok) return answer;
  let message = "";
  try { message = (await answer.json()).error; } catch { /* not from the studio */ }
  throw new ApiError(answer.status, message || `${answer.status} ${answer.statusText}`, Number(answer.headers.get("Retry-After")) || 0);
}

const json = async (path, options) => (await ask(path, options)).json();
const post = (path, body) =>
  json(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });

export const getMethods = () => json("/api/methods");
export const getStyles = () => json("/api/styles");
export const getLimits = () => json("/api/limits");
export const getJobs = async () => {
  const jobs = await json("/api/jobs");
  return Array.isArray(jobs) ? jobs : jobs.jobs ?? [];
};
export const getJob = (id) => json(`/api/jobs/${id}`);
export const postJob = (request) => post("/api/jobs", request);
export const printJob = (id, size) => post(`/api/jobs/${id}/print`, size);
export const stopJob = (id) => ask(`/api/jobs/${id}`, { method: "DELETE" });
export const forgetJob = (id) => ask(`/api/jobs/${id}?forget=1`, { method: "DELETE" });
export const eventsUrl = (id) => `/api/jobs/${id}/events`;
export const previewUrl = (id, n) => `/api/jobs/${id}/preview?n=${n}`;
export const pictureUrl = (id, longest = 2048) => `/api/pictures/${id}?longest=${longest}`;

/** Address of a painting; what is undefined or the default is left out. */
export function paintingUrl(id, options = {}) {
  const query = new URLSearchParams(Object.entries(options).filter(([, value]) => value !== undefined && value !== ""));
  return `/api/jobs/${id}/picture?${query}`;
}

export const clipUrl = (id) => `/api/jobs/${id}/clip`;

export const fetchBlob = async (path, signal) => (await ask(path, { signal })).blob();

export const fetchThumbnail = (photo, style, signal) =>
  fetchBlob(`/api/pictures/${photo}/thumbnail/${encodeURIComponent(style)}?size=192`, signal);

export async function sendPicture(blob, name, path = "/api/pictures") {
  const form = new FormData();
  form.append("file", blob, name);
  return json(path, { method: "POST", body: form });
}

export const sendClip = (blob, name) => sendPicture(blob, name, "/api/clips");

/** A painted frame: its picture, how long painting took, and how many jobs of others there are. */
export async function paintLive(frame, style, size, signal) {
  const query = new URLSearchParams({ style, size });
  const answer = await ask(`/api/live?${query}`, { method: "POST", headers: { "Content-Type": "image/jpeg" }, body: frame, signal });
  return { picture: await answer.blob(), ms: Number(answer.headers.get("X-Painted-Ms")), others: Number(answer.headers.get("X-Others")) };
}

export const leaveLive = () => ask("/api/live", { method: "DELETE", keepalive: true });

export async function hasPicture(id) {
  try { await ask(pictureUrl(id, 32)); return true; } catch (error) {
    if (error.status === 404) return false;
    throw error;
  }
}
