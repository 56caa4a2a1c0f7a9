// Light or dark: the system's, until the user says otherwise.
import { $ } from "./dom.js";

export function startTheme() {
  $("theme").addEventListener("click", () => {
    const next = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
    document.documentElement.dataset.theme = next;
    try { localStorage.setItem("impasto.theme", next); } catch { /* for this page only */ }
  });
}
