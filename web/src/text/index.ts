/** The words of the chosen language. */

import { en, type Text } from "./en";

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

export const t: Text = language() === "de" ? (await import("./de")).de : en;
