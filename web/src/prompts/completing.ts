/** The list from which the word at the caret of a prompt is completed. */

import { completed, completions, wordBefore } from "../core/completion";
import type { End, Graph, Point, Workflow } from "../core/document";
import { readersOf, teacherOf, teaching, wordFor } from "../core/teaching";
import { known } from "../state/catalogue";
import { boxes } from "../state/geometry";
import { currentDocument, currentGraph, edit } from "../state/session";
import { announce } from "../state/view";
import { t } from "../text";
import { type Choice, choose } from "../ui/chooser";
import { files, words } from "./words";

interface Offer extends Choice {
  /** The textual inversion that it stands for. */
  readonly teaches?: string;
}

/** Open it.
 *
 * @param wildcards The list of files that the text may name.
 * @param onDone Given the text with the word, and where the caret is then.
 */
export async function complete(
  from: HTMLTextAreaElement,
  place: End,
  wildcards: string | null,
  onDone: (made: { text: string; caret: number }) => void,
): Promise<void> {
  const { value: text, selectionEnd: caret } = from;
  const all = await Promise.all([inversions(place), named(wildcards), plain()]);
  const found = completions(all.flat(), wordBefore(text, caret).start);
  if (found.length === 0) {
    announce(t.palette.none);
    return;
  }
  choose(from, {
    label: t.field.complete,
    choices: found,
    value: undefined,
    onPick: (picked) => {
      const offer = found.find((each) => each.value === picked);
      const word = offer?.teaches === undefined ? picked : teach(place, offer.teaches, picked);
      onDone(completed(text, caret, word));
    },
  });
}

async function plain(): Promise<Offer[]> {
  return (await words()).map((word) => ({ value: word, title: word }));
}

async function named(wildcards: string | null): Promise<Offer[]> {
  const found = wildcards === null ? [] : await files(wildcards);
  return found.map(([name, first]) => ({ value: `{@${name}}`, title: `{@${name}}`, note: first }));
}

/** The textual inversions that what reads this prompt can be taught. */
async function inversions({ node }: End): Promise<Offer[]> {
  const teacher = teacherOf(known());
  if (!teacher || readersOf(currentGraph(), node, currentDocument(), known(), teacher).length === 0) return [];
  return (await files(teacher.list)).map(([source, about]) => ({
    value: wordFor(source),
    title: wordFor(source),
    note: `${t.field.teaches} ${about}`,
    teaches: source,
  }));
}

const HIGH = 170;

/** Room for a node above what stands above another. */
function above(graph: Graph, node: string, document: Workflow): Point {
  const all = boxes(graph, document);
  const own = all.get(node) ?? { x: 0, y: 0, width: 0 };
  const column = [...all.values()].filter((b) => b.x < own.x + own.width && own.x < b.x + b.width);
  return [own.x, Math.min(own.y, ...column.map((b) => b.y)) - HIGH];
}

/** Have the document teach a textual inversion to what reads the prompt; the word that stands for it there. */
function teach({ node, port }: End, source: string, wanted: string): string {
  const teacher = teacherOf(known());
  let word = wanted;
  if (!teacher) return word;
  edit(
    t.edits.teach,
    (graph, document) => {
      const made = teaching(graph, node, source, wanted, document, known(), teacher, above(graph, node, document));
      word = made.word;
      return made.graph;
    },
    `${node}.${port}`, // one step with the text that then holds the word
  );
  return word;
}
