/** Weighting words of a prompt with Ctrl+Up and Ctrl+Down: `cat` -> `(cat:1.1)`. */

export interface Selected {
  readonly text: string;
  readonly from: number;
  readonly to: number;
}

const STEP = 0.1;
const WORD = /[^\s,.()[\]:]/;

/** The prompt after weighting what is selected, or the word at the caret. */
export function weighted({ text, from, to }: Selected, up: boolean): Selected {
  let start = from;
  let stop = to;
  if (start === stop) {
    while (start > 0 && WORD.test(text[start - 1] ?? "")) start--;
    while (stop < text.length && WORD.test(text[stop] ?? "")) stop++;
    if (start === stop) return { text, from, to };
  }
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
