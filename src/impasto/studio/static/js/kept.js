// What the browser keeps over a reload: results, and the pictures that they were made of (IndexedDB).

const NAME = "impasto-studio";
const MOST_RESULTS = 60;
let opened = null;

function open() {
  opened ??= new Promise((resolve, reject) => {
    const request = indexedDB.open(NAME, 1);
    request.onupgradeneeded = () => {
      request.result.createObjectStore("results", { keyPath: "id" });
      request.result.createObjectStore("pictures", { keyPath: "id" });
    };
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  return opened;
}

async function run(store, mode, work) {
  try {
    const database = await open();
    return await new Promise((resolve, reject) => {
      const transaction = database.transaction(store, mode);
      const request = work(transaction.objectStore(store));
      transaction.oncomplete = () => resolve(request?.result);
      transaction.onerror = transaction.onabort = () => reject(transaction.error);
    });
  } catch {
    return undefined; // a private window may keep nothing: the page works on without
  }
}

export const keepPicture = (picture) => run("pictures", "readwrite", (store) => store.put(picture));
export const keptPicture = (id) => run("pictures", "readonly", (store) => store.get(id));
export const keptPictures = async () => (await run("pictures", "readonly", (store) => store.getAll())) ?? [];
export const dropResult = (id) => run("results", "readwrite", (store) => store.delete(id));

/** The kept results, newest first. */
export async function keptResults() {
  const all = (await run("results", "readonly", (store) => store.getAll())) ?? [];
  return all.sort((a, b) => b.when - a.when);
}

/** Keep a result; the oldest make room, and pictures that no result needs go with them. */
export async function keepResult(result) {
  await run("results", "readwrite", (store) => store.put(result));
  const all = await keptResults();
  const old = all.slice(MOST_RESULTS);
  if (!old.length) return;
  for (const each of old) await dropResult(each.id);
  const needed = new Set(all.slice(0, MOST_RESULTS).flatMap((each) => picturesOf(each.request)));
  for (const { id } of await keptPictures()) {
    if (!needed.has(id)) await run("pictures", "readwrite", (store) => store.delete(id));
  }
}

/** The ids of the pictures that a request names. */
export function picturesOf(request) {
  const styles = (request?.styles ?? []).flatMap((style) => [style.picture, style.mask]);
  return [request?.photo, ...styles].filter(Boolean);
}
