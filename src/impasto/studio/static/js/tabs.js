// Tabs by click and by arrow keys.
import { $ } from "./dom.js";

const NAMES = ["styles", "settings"];

export function showTab(name) {
  for (const each of NAMES) {
    const on = each === name;
    $(`tab-${each}`).setAttribute("aria-selected", String(on));
    $(`tab-${each}`).tabIndex = on ? 0 : -1;
    $(`panel-${each}`).hidden = !on;
  }
}

export function startTabs() {
  for (const [i, name] of NAMES.entries()) {
    $(`tab-${name}`).addEventListener("click", () => showTab(name));
    $(`tab-${name}`).addEventListener("keydown", (event) => {
      const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!by) return;
      event.preventDefault();
      const next = NAMES[(i + by + NAMES.length) % NAMES.length];
      showTab(next);
      $(`tab-${next}`).focus();
    });
  }
}
