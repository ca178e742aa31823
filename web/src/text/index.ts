/** The words of the chosen language. */

import type { Names } from "../core/catalogue";
import { en, type Text } from "./en";
import type { Said } from "./saying";

export const LANGUAGES = { en: "English", de: "Deutsch" } as const;
export type Language = keyof typeof LANGUAGES;

const KEY = "nodegraph.language";

/** The language that was chosen here, or else that of the browser where there is a table for it. */
export function language(): Language {
  const wanted = globalThis.localStorage?.getItem(KEY) ?? globalThis.navigator?.language ?? "en";
  return wanted.startsWith("de") ? "de" : "en";
}

/** Choose a language. The page is loaded anew, since its words are everywhere; the documents are kept. */
export function setLanguage(chosen: Language): void {
  localStorage.setItem(KEY, chosen);
  location.reload();
}

/** A time of the server, in seconds, as people write it. */
export const moment = (seconds: number): string =>
  new Date(seconds * 1000).toLocaleString(language(), { dateStyle: "medium", timeStyle: "short" });

/** The time of day of a time of the server. */
export const clock = (seconds: number): string => new Date(seconds * 1000).toLocaleTimeString(language());

const german = language() === "de" ? await import("./de") : undefined;
export const t: Text = german?.de ?? en;

/** What the server says, which is English, in the chosen language as far as its sentences are known; where they are not
 * all, what the code of the problem means stands before them. */
export function said(message: string, code = ""): Said {
  if (!german) return { text: message, whole: true };
  const found = german.said(message);
  const meaning = found.whole ? undefined : german.codes[code];
  return meaning === undefined ? found : { ...found, text: `${meaning} ${found.text}` };
}
/** The error of a run: a line for each node that failed, behind its id. */
export function saidOfRun(error: string): string {
  const line = (text: string) => {
    const [, where = "", what = text] = /^([\w/.]+: )?(.*)$/s.exec(text) ?? [];
    return where + said(what).text;
  };
  return error.split("\n").map(line).join("\n");
}

/** Fetch the words for nodes and ports in the chosen language; none where it is that of the packs. */
export const names = async (): Promise<Names | undefined> => german && (await import("./de.pack.json")).default;
