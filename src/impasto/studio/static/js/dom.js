// Small helpers for elements.

export const $ = (id) => document.getElementById(id);

/** Make an element. Props that start with "on" are listeners; data, aria and other attributes go by name. */
export function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "class") node.className = value;
    else if (name === "value" || name === "checked" || name === "src") node[name] = value;
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

const SVG = "http://www.w3.org/2000/svg";

export function svg(tag, attributes, ...children) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

export const icon = (name) => svg("svg", { class: "icon" }, svg("use", { href: `/static/icons.svg#${name}` }));

/** A button with an icon and a text; where the text is hidden, it is still the button's name. */
export function button(name, text, onclick, props = {}) {
  const { quietly, ...rest } = props;
  const label = quietly ? null : el("span", { class: "word" }, text);
  return el("button", { type: "button", "aria-label": text, title: quietly ? text : null, onclick, ...rest }, name && icon(name), label);
}

export const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

/** Decode a picture before it is shown, so that nothing flickers; false if the browser can't. */
export async function decodes(url) {
  const image = new Image();
  image.src = url;
  try { await image.decode(); } catch { return false; }
  return true;
}
