// The page's words in the user's language, from one table.
import { $, el } from "./dom.js";

let table = { languages: { en: "English" }, words: {} };
let language = "en";
const listeners = [];

export async function loadWords() {
  table = await (await fetch("/static/words.json")).json();
  let stored = null;
  try { stored = localStorage.getItem("impasto.language"); } catch { /* no store: the browser's language */ }
  const wanted = [stored, ...navigator.languages].map((each) => each?.slice(0, 2));
  language = wanted.find((each) => each in table.languages) ?? "en";
  for (const [code, name] of Object.entries(table.languages)) {
    $("language").append(el("option", { value: code, lang: code }, name));
  }
  $("language").value = language;
  $("language").addEventListener("change", () => setLanguage($("language").value));
  apply();
}

function setLanguage(code) {
  language = code;
  try { localStorage.setItem("impasto.language", code); } catch { /* kept for this page only */ }
  apply();
  for (const listener of listeners) listener();
}

/** Call work whenever the language changes. */
export const onLanguage = (work) => listeners.push(work);

/** The text of a key, with {names} replaced; the key's fallback, or the key, where the table lacks it. */
export function word(key, values = {}, fallback = key) {
  const text = table.words[key]?.[language] ?? table.words[key]?.en ?? fallback;
  return text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

export const hasWord = (key) => key in table.words;

export const number = (value, digits = 0) =>
  new Intl.NumberFormat(language, { maximumFractionDigits: digits }).format(value);

export const percent = (value) => new Intl.NumberFormat(language, { style: "percent" }).format(value);

function apply() {
  document.documentElement.lang = language === "zh" ? "zh-Hans" : language;
  for (const node of document.querySelectorAll("[data-word]")) node.textContent = word(node.dataset.word);
  for (const node of document.querySelectorAll("[data-label]")) {
    const text = word(node.dataset.label);
    node.setAttribute("aria-label", text);
    if (node.tagName === "BUTTON") node.title = text;
  }
}
