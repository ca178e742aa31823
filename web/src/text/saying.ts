/** The server's English sentences in another language: whole ones by a table, with what they name put in its place. */

export interface Said {
  readonly text: string;
  /** Whether all of it could be said. */
  readonly whole: boolean;
}

type Pattern = readonly [RegExp, string];

/** What stands behind a sentence that is told at another port than its own. */
const PLACE = / \(in \w+\)$/;

/** Makes what says a text by a table of sentences, each with `{1}`, `{2}` where something is named, or said in turn. */
export function sayer(sentences: Readonly<Record<string, string>>): (text: string) => Said {
  const literal = (english: string) => english.replace(/\{\d\}/g, "").length;
  const patterns = Object.entries(sentences)
    .sort(([a], [b]) => literal(b) - literal(a)) // what says most of a sentence knows it best
    .map(([english, other]): Pattern => {
      const source = english.replace(/[.*+?^$()|[\]\\]/g, "\\$&").replace(/\{\d\}/g, "(.+?)");
      return [new RegExp(`^${source}$`, "s"), other];
    });
  return (text) => {
    let whole = true;
    const said = text.split("; ").map((told) => {
      const [place = ""] = PLACE.exec(told) ?? [];
      const sentence = told.slice(0, told.length - place.length);
      if (sentence in sentences) return sentences[sentence] + place;
      for (const [pattern, other] of patterns) {
        const found = pattern.exec(sentence);
        const named = (n: string) => found?.[Number(n)] ?? "";
        if (found) return other.replace(/\{(\d)\}/g, (_, n: string) => sentences[named(n)] ?? named(n)) + place;
      }
      whole = false;
      return told;
    });
    return { text: said.join("; "), whole };
  };
}
