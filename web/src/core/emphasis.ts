/** Weighting words of a prompt with Ctrl+Up and Ctrl+Down: `cat` -> `(cat:1.1)`. */

export interface Selected {
  readonly text: string;
  readonly from: number;
  readonly to: number;
}

const STEP = 0.1;
const WORD = /[^\s,.()[\]:]/;
/** A weighted part of a prompt that holds no other. */
const PART = /\(([^()]*):-?\d+(?:\.\d+)?\)/g;

/** Where the words are that are weighted: what is selected, without spaces around it; the words of a weighted part that the
 * caret is in, or that is selected as a whole; else the word at the caret. */
function meant({ text, from, to }: Selected): [number, number] {
  for (const part of text.matchAll(PART)) {
    const end = part.index + part[0].length;
    if (from === to ? part.index < from && from < end : part.index === from && to === end)
      return [part.index + 1, part.index + 1 + (part[1]?.length ?? 0)];
  }
  let [start, stop] = [from, to];
  if (start === stop) {
    while (start > 0 && WORD.test(text[start - 1] ?? "")) start--;
    while (stop < text.length && WORD.test(text[stop] ?? "")) stop++;
  }
  while (start < stop && /\s/.test(text[start] ?? "")) start++;
  while (start < stop && /\s/.test(text[stop - 1] ?? "")) stop--;
  return [start, stop];
}

/** The prompt after weighting what is selected, or what the caret is in. */
export function weighted(selected: Selected, up: boolean): Selected {
  const { text } = selected;
  const [start, stop] = meant(selected);
  if (start === stop) return selected;
  const after = /^:(-?\d+(?:\.\d+)?)\)/.exec(text.slice(stop));
  const weight = text[start - 1] === "(" && after ? Number(after[1]) : 1;
  const head = after && text[start - 1] === "(" ? text.slice(0, start - 1) : text.slice(0, start);
  const tail = after && text[start - 1] === "(" ? text.slice(stop + after[0].length) : text.slice(stop);
  const words = text.slice(start, stop);
  const next = Math.round((weight + (up ? STEP : -STEP)) * 100) / 100;
  const made = next === 1 ? words : `(${words}:${next})`;
  const at = head.length + (next === 1 ? 0 : 1);
  return { text: head + made + tail, from: at, to: at + words.length };
}
