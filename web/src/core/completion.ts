/** Completing the word at the caret of a prompt from words that were written before. */

import { linksOf, type Workflow } from "./document";

const LETTER = /[\p{L}\p{N}_<>'-]/u;

/** Where the word before the caret begins, and what of it is there. */
export function wordBefore(text: string, caret: number): { from: number; start: string } {
  let from = caret;
  while (from > 0 && LETTER.test(text[from - 1] ?? "")) from--;
  return { from, start: text.slice(from, caret) };
}

/** The words of texts, those that occur most often first. `<words>` that a document teaches count as any. */
export function vocabulary(texts: Iterable<string>): string[] {
  const counts = new Map<string, number>();
  for (const text of texts) {
    for (const [word] of text.matchAll(/<[^<>\s]+>|[\p{L}_][\p{L}\p{N}_'-]{2,}/gu)) {
      const key = word.toLowerCase();
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
  }
  return [...counts].sort((a, b) => b[1] - a[1] || a[0].localeCompare(b[0])).map(([word]) => word);
}

/** The texts that a document holds. */
export function textsOf(document: Workflow): string[] {
  const graphs = [document, ...Object.values(document.definitions ?? {})];
  return graphs.flatMap((graph) =>
    Object.values(graph.nodes).flatMap((step) =>
      Object.values(step.inputs ?? {}).filter((v): v is string => typeof v === "string" && linksOf(v).length === 0),
    ),
  );
}

/** The words that begin as `start` does, and are more than it; all words for "". */
export function completions(words: readonly string[], start: string, most = 60): string[] {
  const low = start.toLowerCase();
  return words.filter((w) => w.startsWith(low) && w !== low).slice(0, most);
}

/** The text with the word before the caret completed, and where the caret is then. */
export function completed(text: string, caret: number, word: string): { text: string; caret: number } {
  const { from } = wordBefore(text, caret);
  return { text: text.slice(0, from) + word + text.slice(caret), caret: from + word.length };
}
