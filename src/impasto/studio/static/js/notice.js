// What the page tells: notices that can be seen, and a live region that screen readers read.
import { $, button, el } from "./dom.js";
import { word } from "./words.js";

export function say(text) {
  $("live").textContent = "";
  requestAnimationFrame(() => { $("live").textContent = text; });
}

/**
 * Show a notice.
 * @param {string} text what to tell
 * @param {{error?: boolean, actions?: [string, () => void][], seconds?: number}} options no seconds: until it is closed
 */
export function notice(text, { error = false, actions = [], seconds = 0 } = {}) {
  const node = el("div", { class: error ? "notice error" : "notice" });
  if (error) node.setAttribute("role", "alert");
  else say(text);
  const close = () => node.remove();
  node.append(el("div", { class: "text" }, text), button("close", word("close"), close, { class: "quiet close", quietly: true }));
  if (actions.length) {
    const made = actions.map(([label, work]) =>
      el("button", { type: "button", class: "small", onclick: () => { close(); work(); } }, label));
    node.append(el("div", { class: "actions" }, ...made));
  }
  const notices = $("notices");
  for (const old of [...notices.children]) if (old.querySelector(".text").textContent === text) old.remove(); // said once
  notices.append(node);
  while (notices.children.length > 3) notices.firstChild.remove();
  if (seconds) setTimeout(close, seconds * 1000);
  return { close };
}

const TOLD = { 0: "server_lost", 401: "address_expired", 404: "forgotten" }; // by the status of the answer

/** Tell an error in words that help. */
export function tellError(error, actions = []) {
  if (error?.name === "AbortError") return;
  const text = TOLD[error?.status] ? word(TOLD[error.status]) : error?.message || String(error);
  notice(text, { error: true, actions });
}
