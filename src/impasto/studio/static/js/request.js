// Between what is chosen on the page and what a job is asked.
import { effortsOf } from "./kinds.js";
import { state } from "./state.js";
import { word } from "./words.js";

const TOP = ["size", "print"]; // settings that a request has beside the others

/** The job that the choices stand for. */
export function requestOf(effort = state.effort) {
  const { photo, chosen, method, preset, boldness, keep } = state;
  const settings = knownSettings(method);
  const request = { photo: photo.id, styles: chosen.map(styleOf), keep };
  for (const name of TOP) {
    if (settings[name] === undefined || settings[name] === "") continue;
    request[name] = settings[name];
    delete settings[name];
  }
  if (method) request.method = method;
  else Object.assign(request, { effort, boldness });
  if (method && preset) request.preset = preset;
  if (Object.keys(settings).length) request.settings = settings;
  if (photo.clip) request.film = { steady: state.steady };
  return request;
}

/** The settings that the method has; others belong to a method that was chosen before. */
function knownSettings(method) {
  const schemas = [state.shared, state.methods.find(({ name }) => name === method)?.schema];
  const names = new Set(schemas.flatMap((schema) => Object.keys(schema?.properties ?? {})));
  return Object.fromEntries(Object.entries(state.settings).filter(([name]) => names.has(name)));
}

function styleOf({ key, weight, mask }) {
  const which = key.startsWith("picture:") ? { picture: key.slice(8) } : { name: key };
  return { ...which, weight, ...(mask && { mask: mask.id }) };
}

export const keyOf = (style) => (style.picture ? `picture:${style.picture}` : style.name);

/** The choices that made a request. */
export function choicesOf(request, titleOf) {
  const { effort, boldness, method = "", preset = "", settings = {}, size, print } = request;
  const chosen = (request.styles ?? []).map((style) => ({
    key: keyOf(style), title: titleOf(keyOf(style)), weight: style.weight ?? 1, mask: style.mask ? { id: style.mask } : null,
  }));
  const all = { ...settings, ...(size !== undefined && { size }), ...(print && { print }) };
  return {
    chosen, method, preset, settings: all, effort: effort === "draft" || !effort ? state.effort : effort,
    boldness: boldness ?? state.boldness, steady: request.film?.steady ?? state.steady,
  };
}

/** A result's name: its styles and how it was painted. */
export function titleOf(request, titleOfStyle) {
  const names = (request.styles ?? []).map((style) => titleOfStyle(keyOf(style)));
  const name = names.join(" + ") || word("painting");
  const one = effortsOf((request.styles ?? []).map(keyOf)).length === 1;
  const how = request.method ?? (one ? "" : word(`effort_${request.effort ?? "quick"}`));
  const title = how ? `${name}, ${how}` : name;
  return request.film ? word("clip_in", { title }) : title;
}
