// Favourite and recent styles, kept in the browser.

const MOST_RECENT = 12;

function read(name) {
  try {
    const list = JSON.parse(localStorage.getItem(`impasto.${name}`));
    return Array.isArray(list) ? list.filter((each) => typeof each === "string") : [];
  } catch { return []; }
}

function write(name, list) {
  try { localStorage.setItem(`impasto.${name}`, JSON.stringify(list)); } catch { /* kept for this page only */ }
}

export const favourites = new Set(read("favourites"));
export let recent = read("recent");

export function toggleFavourite(key) {
  if (!favourites.delete(key)) favourites.add(key);
  write("favourites", [...favourites]);
}

export function markRecent(keys) {
  recent = [...keys, ...recent.filter((each) => !keys.includes(each))].slice(0, MOST_RECENT);
  write("recent", recent);
}
