/** Fuzzy search. Every word must be found, as letters in order; starts of words and runs of letters count more. */

interface Searched<T> {
  readonly item: T;
  readonly score: number;
}

/** How well `query` fits `text`: 0 for not at all. */
export function score(query: string, text: string): number {
  const low = text.toLowerCase();
  const q = query.toLowerCase();
  const at = low.indexOf(q);
  if (at >= 0) return 100 + q.length * 4 - Math.min(at, 20) + (at === 0 || !isLetter(low, at - 1) ? 60 : 0);
  let sum = 0;
  let from = 0;
  let last = -2;
  for (const letter of q) {
    const found = low.indexOf(letter, from);
    if (found < 0) return 0;
    const starts = found === 0 || !isLetter(low, found - 1) || isHump(text, found);
    sum += found === last + 1 ? 6 : starts ? 8 : 1;
    last = found;
    from = found + 1;
  }
  return sum >= q.length * 3 ? sum : 0;
}

function isLetter(text: string, at: number): boolean {
  return /[a-z0-9]/i.test(text[at] ?? "");
}

function isHump(text: string, at: number): boolean {
  return /[A-Z]/.test(text[at] ?? "") && /[a-z]/.test(text[at - 1] ?? "");
}

/** The items that `query` finds, best first. `texts` gives what is searched in, the weightiest first. */
export function search<T>(items: Iterable<T>, query: string, texts: (item: T) => readonly string[]): T[] {
  const parts = query.trim().split(/\s+/).filter(Boolean);
  if (parts.length === 0) return [...items];
  const found: Searched<T>[] = [];
  for (const item of items) {
    let total = 0;
    const fields = texts(item);
    for (const part of parts) {
      let best = 0;
      fields.forEach((text, i) => {
        // prose is too long for loose letters: there only whole pieces count
        const value = i < 2 ? score(part, text) : text.toLowerCase().includes(part.toLowerCase()) ? 40 : 0;
        best = Math.max(best, value / (i + 1));
      });
      if (best === 0) {
        total = 0;
        break;
      }
      total += best;
    }
    if (total > 0) found.push({ item, score: total - (fields[0]?.length ?? 0) / 100 });
  }
  return found.sort((a, b) => b.score - a.score).map((f) => f.item);
}
