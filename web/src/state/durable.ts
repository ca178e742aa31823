/** Texts that outlive a crash of the browser. `localStorage` is read and written at once, also while a page is being
 * closed, but reaches the disk many seconds later; IndexedDB reaches it before it answers. So both are written. */

const STORE = "texts";
/** How long the page waits for a database that does not answer. */
const PATIENCE = 2000;

function answer<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

let database: Promise<IDBDatabase> | undefined;

async function texts(mode: IDBTransactionMode): Promise<IDBObjectStore> {
  database ??= new Promise((resolve, reject) => {
    const opening = indexedDB.open("nodegraph", 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore(STORE);
    answer(opening).then(resolve, reject);
  });
  return (await database).transaction(STORE, mode, { durability: "strict" }).objectStore(STORE);
}

/** Write `text` under `key`. A browser that keeps nothing (full, private) does not, without a word. */
export function keep(key: string, text: string): void {
  try {
    localStorage.setItem(key, text);
  } catch {
    // what is open stays open
  }
  texts("readwrite")
    .then((store) => answer(store.put(text, key)))
    .catch(() => {});
}

/** What was written under `key`, at most twice: as both places have it. */
export async function kept(key: string): Promise<string[]> {
  const late = new Promise<undefined>((resolve) => setTimeout(resolve, PATIENCE));
  const found: Promise<unknown> = texts("readonly").then((store) => answer(store.get(key)));
  const both = [localStorage.getItem(key), await Promise.race([found, late]).catch(() => undefined)];
  return both.filter((text) => typeof text === "string");
}
