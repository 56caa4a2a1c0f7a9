// The form of settings: method, preset, plain settings in sight, advanced ones behind a fold.
import { $, el } from "./dom.js";
import { field } from "./fields.js";
import { state, update, watch } from "./state.js";
import { onLanguage, word } from "./words.js";

// Set elsewhere on the page, or not for a page to set.
const ELSEWHERE = new Set(["strength", "colour", "preset", "method", "styles", "start", "encoder", "memory", "version", "nets", "effort", "boldness"]);

export function startSettings() {
  watch(["methods", "shared", "method", "preset"], draw);
  watch(["settings"], () => {
    if ($("panel-settings").contains(document.activeElement)) markChanged();
    else draw();
  });
  onLanguage(draw);
}

const current = () => state.methods.find(({ name }) => name === state.method);

function change(name, value) {
  const settings = { ...state.settings };
  if (value === undefined) delete settings[name];
  else settings[name] = value;
  update({ settings });
}

function markChanged() {
  for (const node of $("panel-settings").querySelectorAll("[data-setting]")) {
    node.classList.toggle("changed", node.dataset.setting in state.settings);
  }
}

function draw() {
  const method = current();
  const wasOpen = $("panel-settings").querySelector("details")?.open ?? false;
  const fields = { ...state.shared.properties, ...method?.schema.properties };
  const at = (level) => groups(Object.entries(fields).filter(([name, schema]) => (schema.level ?? "plain") === level && !ELSEWHERE.has(name)));
  const advanced = at("advanced");
  $("panel-settings").replaceChildren(
    chooser("method-choice", word("method"), methodOptions(), state.method, (value) => update({ method: value, preset: "" }), method ? word(`method_${method.name}`, {}, method.summary) : word("method_dials_about")),
    ...(method?.presets?.length ? presetPart(method) : []),
    ...at("plain"),
    keepPart(),
    ...(advanced.length ? [el("details", { open: wasOpen }, el("summary", {}, word("advanced")), ...advanced)] : []),
    el("div", { class: "settings-foot" }, el("button", { type: "button", onclick: reset }, word("reset"))));
}

function reset() {
  update({ settings: {}, preset: "", method: "" });
  draw();
}

function methodOptions() {
  return [["", word("method_dials")], ...state.methods.map(({ name, title }) => [name, title ?? name])];
}

function presetPart(method) {
  const options = [["", word("as_usual")], ...method.presets.map(({ name }) => [name, name])];
  const about = method.presets.find(({ name }) => name === state.preset)?.description;
  return [chooser("preset-choice", word("preset"), options, state.preset, (value) => update({ preset: value }), about)];
}

function chooser(id, label, options, value, work, about) {
  const select = el("select", { id, onchange: () => { work(select.value); $(id)?.focus(); } },
    ...options.map(([name, title]) => el("option", { value: name, selected: name === value }, title)));
  return el("div", { class: "field" }, el("div", { class: "line" }, el("label", { for: id }, label), el("span", { class: "value" }, select)),
    about && el("p", { class: "about" }, about));
}

function keepPart() {
  const input = el("input", { type: "checkbox", id: "keep", checked: state.keep, onchange: () => update({ keep: input.checked }) });
  return el("div", { class: "field" }, el("div", { class: "line" }, el("label", { for: "keep" }, word("keep")), el("span", { class: "value" }, input)),
    el("p", { class: "about" }, word("about_keep")));
}

function groups(entries) {
  const byGroup = new Map();
  for (const [name, schema] of entries) {
    const node = field(name, schema, state.settings[name], (value) => { change(name, value); markChanged(); });
    if (!node) continue;
    const group = schema.group ?? "picture";
    if (!byGroup.has(group)) byGroup.set(group, []);
    byGroup.get(group).push(node);
  }
  return [...byGroup].flatMap(([group, nodes]) => [el("h3", { class: "group-title" }, word(`group_${group}`, {}, group)), ...nodes]);
}
