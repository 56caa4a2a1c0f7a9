// The recipe of a picture that was dropped in. It is a stranger's: only names and values that this page knows are taken.
import { CHOICE_NAMES, EFFORTS, state } from "./state.js";

const MOST_STYLES = 8;

const properties = (schema) => schema?.properties ?? {};

/** Whether a value fits a field of a JSON schema, as far as a form can tell. */
export function fits(field, value) {
  const options = field.anyOf ?? [field];
  return options.some((option) => {
    if (option.const !== undefined) return value === option.const;
    if (option.enum) return option.enum.includes(value);
    if (option.type === "boolean") return typeof value === "boolean";
    if (option.type === "string") return !option.format && typeof value === "string" && value.length <= 40;
    if (option.type !== "number" && option.type !== "integer") return false;
    if (typeof value !== "number" || !Number.isFinite(value)) return false;
    if (option.type === "integer" && !Number.isInteger(value)) return false;
    return value >= (option.minimum ?? -Infinity) && value <= (option.maximum ?? Infinity);
  });
}

function known(values, schema) {
  const fields = properties(schema);
  const taken = Object.entries(values ?? {}).filter(
    ([name, value]) => name in fields && fits(fields[name], value) && value !== fields[name].default,
  );
  return Object.fromEntries(taken);
}

/** The choices that a recipe brings; what is unknown or doesn't fit is left out. */
export function choicesFromRecipe(recipe) {
  const choices = {};
  const method = state.methods.find(({ name }) => name === recipe.method);
  const settings = { ...known(recipe, state.shared), ...known(recipe.settings, state.shared) };
  for (const name of ["strength", "preset"]) delete settings[name];
  if (EFFORTS.includes(recipe.effort)) choices.effort = recipe.effort;
  const bold = Number(recipe.boldness);
  if (recipe.boldness !== undefined && bold >= 0 && bold <= 1) choices.boldness = bold;
  if (method && !recipe.effort) {
    choices.method = method.name;
    choices.preset = method.presets?.some(({ name }) => name === recipe.preset) ? recipe.preset : "";
    Object.assign(settings, known(recipe.options, method.schema), known(recipe.settings, method.schema));
  }
  choices.settings = settings;
  const parts = [...(recipe.styles ?? []), ...(Array.isArray(recipe.options?.net) ? recipe.options.net : [])];
  const chosen = parts.slice(0, MOST_STYLES).flatMap((part) => {
    const style = state.styles.find(({ key }) => key === (part.name ?? part.path));
    const weight = Number(part.weight ?? 1);
    return style && part.shipped !== false && weight > 0 && weight <= 100 ? [{ key: style.key, title: style.title, weight, mask: null }] : [];
  });
  if (chosen.length) choices.chosen = chosen;
  const strength = recipe.strength ?? recipe.settings?.strength;
  if (typeof strength === "number" && strength >= 0 && strength <= 1) choices.strength = strength;
  return Object.fromEntries(Object.entries(choices).filter(([name]) => CHOICE_NAMES.includes(name) || name === "strength"));
}
