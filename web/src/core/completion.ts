/** Completing the word at the caret of a prompt: from words that were written before, and files that may be named. */

import { type Catalogue, typeOf } from "./catalogue";
import type { Workflow } from "./document";

/** What is completed: a word, one that a document teaches (`<words>`), or the name of a file of wildcards. */
const WORD = /(?:\{@[^{}|]*|[\p{L}\p{N}_<>'-]*)$/u;

/** Where the word before the caret begins, and what of it is there. */
export function wordBefore(text: string, caret: number): { from: number; start: string } {
  const [start = ""] = WORD.exec(text.slice(0, caret)) ?? [];
  return { from: caret - start.length, start };
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

/** The texts that a document holds where sentences are written: names and choices are none. */
export function textsOf(document: Workflow, known: Catalogue): string[] {
  const graphs = [document, ...Object.values(document.definitions ?? {})];
  return graphs.flatMap((graph) =>
    Object.values(graph.nodes).flatMap((step) =>
      typeOf(step, document, known).inputs.flatMap((input) => {
        const value = input.widget?.kind === "textarea" ? step.inputs?.[input.name] : undefined;
        return typeof value === "string" ? [value] : [];
      }),
    ),
  );
}

/** Those of which the whole, or a part of a name, begins as `start` does, and which are more than it; all for "". */
export function completions<T extends { readonly value: string }>(offers: readonly T[], start: string, most = 60): T[] {
  const low = start.toLowerCase();
  const begins = ({ value }: T) => {
    const text = value.toLowerCase();
    if (text === low || text.startsWith(low)) return text !== low;
    return /^(?:<|\{@)/.test(text) && text.split(/[<@/_-]/).some((part) => part.startsWith(low));
  };
  return offers.filter(begins).slice(0, most);
}

/** The text with the word before the caret completed, and where the caret is then. */
export function completed(text: string, caret: number, word: string): { text: string; caret: number } {
  const { from } = wordBefore(text, caret);
  return { text: text.slice(0, from) + word + text.slice(caret), caret: from + word.length };
}
