// One field of a form, made from its JSON schema.
import { el } from "./dom.js";
import { hasWord, word } from "./words.js";

/** What kind of field a schema asks for; null for what a form here doesn't show (lists, tables, files). */
export function kindOf(schema) {
  const options = (schema.anyOf ?? [schema]).filter((option) => option.type !== "null");
  if ([schema, ...options].some((option) => option.format === "path")) return null;
  const choices = options.flatMap((option) => option.enum ?? []);
  if (choices.length) return { kind: "choice", choices };
  const numeric = options.find((option) => ["number", "integer"].includes(option.type));
  if (numeric) {
    const low = numeric.minimum ?? numeric.exclusiveMinimum;
    const high = numeric.maximum ?? numeric.exclusiveMaximum;
    const near = low !== undefined && high !== undefined && high - low <= 20;
    return { kind: near ? "slider" : "number", low, high, whole: numeric.type === "integer" };
  }
  if (options.some((option) => option.type === "boolean")) return { kind: "switch" };
  if (options.some((option) => option.type === "string")) return { kind: "text" };
  return null;
}

const named = (name, schema) => word(`setting_${name}`, {}, schema.title ?? name);

/**
 * Make a field.
 * @param value the value that is set, or undefined for the default
 * @param change called with a value, or with undefined for the default
 */
export function field(name, schema, value, change) {
  const found = kindOf(schema);
  if (!found) return null;
  const id = `setting-${name}`;
  const parts = { choice, slider, number, switch: toggle, text }[found.kind](id, schema, found, value, change);
  const about = word(`about_${name}`, {}, schema.description ?? "");
  const node = el("div", { class: value === undefined ? "field" : "field changed", "data-setting": name },
    el("div", { class: "line" }, el("label", { for: id }, named(name, schema)), el("span", { class: "value" }, ...parts)),
    about && el("p", { class: "about", id: `${id}-about`, lang: hasWord(`about_${name}`) ? null : "en" }, about));
  if (about) node.querySelector(`#${id}`).setAttribute("aria-describedby", `${id}-about`);
  return node;
}

function choice(id, schema, { choices }, value, change) {
  const optional = schema.default === null || schema.default === undefined;
  const now = value ?? schema.default ?? "";
  const made = choices.map((each) => el("option", { value: each, selected: each === now }, word(`value_${each}`, {}, String(each))));
  if (optional) made.unshift(el("option", { value: "", selected: now === "" }, word("as_usual")));
  const select = el("select", { id, onchange: () => change(select.value === String(schema.default ?? "") ? undefined : select.value) }, ...made);
  return [select];
}

function slider(id, schema, { low, high, whole }, value, change) {
  const step = schema.step ?? (whole ? 1 : (high - low) / 100);
  const start = value ?? (typeof schema.default === "number" ? schema.default : low);
  const out = el("output", { for: id }, String(start));
  const input = el("input", { type: "range", id, min: low, max: high, step, value: start, oninput: () => { out.textContent = String(input.valueAsNumber); change(input.valueAsNumber); } });
  return [input, out];
}

function number(id, schema, { low, high, whole }, value, change) {
  const usual = schema.default === null || schema.default === undefined ? word("as_usual") : String(schema.default);
  const input = el("input", {
    type: "number", id, min: low, max: high, step: schema.step ?? (whole ? 1 : "any"), value: value ?? "", placeholder: usual,
    onchange: () => { if (input.checkValidity()) change(input.value === "" ? undefined : input.valueAsNumber); else input.reportValidity(); },
  });
  return schema.unit ? [input, el("span", { class: "muted" }, schema.unit)] : [input];
}

function toggle(id, schema, found, value, change) {
  const input = el("input", { type: "checkbox", id, checked: value ?? schema.default ?? false, onchange: () => change(input.checked === schema.default ? undefined : input.checked) });
  return [input];
}

function text(id, schema, found, value, change) {
  const input = el("input", { type: "text", id, maxlength: 40, value: value ?? "", placeholder: schema.default ?? word("as_usual"), autocomplete: "off", onchange: () => change(input.value.trim() || undefined) });
  return [input];
}
