// Kinds of styles: those of the gallery, which networks know, and pictures, drawn or one's own.
import { state } from "./state.js";

const kindOf = (key) => (key.startsWith("picture:") ? "picture" : state.styles.find((style) => style.key === key)?.kind ?? "drawn");

/** The efforts that make a difference to these styles: one pass is all that a style of the gallery has. */
export function effortsOf(keys) {
  const kinds = keys.map(kindOf);
  return state.efforts.filter((effort) => kinds.every((kind) => (state.kindEfforts[kind] ?? state.efforts).includes(effort)));
}

const known = (key) => kindOf(key) === "gallery";

/** Whether two styles can be mixed. */
export const mixes = (one, other) => known(one) === known(other);

/** Whether a method takes a style. */
export function takes(methodName, key) {
  const method = state.methods.find(({ name }) => name === methodName);
  return !method || (method.styles === "own") === known(key);
}
