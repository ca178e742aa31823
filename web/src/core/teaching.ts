/** Textual inversions in prompts: a node that teaches the text encoder a word is put before what reads the prompt. */

import { type Catalogue, type NodeType, typeOf } from "./catalogue";
import { type End, end, type Graph, link, linksOf, type Point, type Workflow, wires } from "./document";
import { addNode, setValue } from "./edits";

const LIST = "words";

/** A node type that takes a value, teaches it a word from a list of files, and gives it on. */
export interface Teacher {
  readonly type: NodeType;
  /** The port that takes the value, the one that gives it, and their type. */
  readonly into: string;
  readonly out: string;
  readonly through: string;
  /** The input that names the file, and the one that holds the word. */
  readonly source: string;
  readonly word: string;
  readonly list: string;
}

export function teacherOf(known: Catalogue): Teacher | undefined {
  for (const type of known.values()) {
    const source = type.inputs.find((i) => i.widget?.kind === "choice" && i.widget.list === LIST);
    const word = type.inputs.find((i) => i.widget?.kind === "text");
    const out = type.outputs.find((o) => type.inputs.some((i) => i.widget === null && i.type === o.type));
    const into = type.inputs.find((i) => i.widget === null && i.type === out?.type);
    if (source && word && out && into) {
      return {
        type,
        into: into.name,
        out: out.name,
        through: out.type,
        source: source.name,
        word: word.name,
        list: LIST,
      };
    }
  }
  return undefined;
}

/** The word that stands for a file: `embeddings/Easy Negative.safetensors` is `<easy-negative>`. */
export function wordFor(source: string): string {
  const name = source.slice(source.lastIndexOf("/") + 1).replace(/\.[^.]*$/, "");
  return `<${
    name
      .toLowerCase()
      .replace(/[()[\]:\\\s<>]+/g, "-")
      .replace(/^-|-$/g, "") || "word"
  }>`;
}

/** The inputs that read the prompt of a node with the help of what can be taught: its own, or of what its text goes to. */
export function readersOf(graph: Graph, node: string, document: Workflow, known: Catalogue, teacher: Teacher): End[] {
  const own = (id: string): End[] => {
    const step = graph.nodes[id];
    const type = step && typeOf(step, document, known);
    if (!step || !type || type.id === teacher.type.id) return [];
    return type.inputs
      .filter((i) => i.type === teacher.through && linksOf(step.inputs?.[i.name]).length === 1)
      .map((i) => ({ node: id, port: i.name }));
  };
  const found = own(node);
  if (found.length > 0) return found;
  const after = new Set([node]);
  for (const id of after) {
    const next = wires(graph).filter((w) => w.source.node === id);
    for (const { target } of next) {
      const readers = own(target.node);
      if (readers.length === 0) after.add(target.node);
      else if (!found.some((r) => r.node === target.node)) found.push(...readers);
    }
  }
  return found;
}

/** The graph in which what reads the prompt of `node` knows the word of a file, and that word.
 *
 * @param at Where a node that teaches it is put, if one is needed.
 */
export function teaching(
  graph: Graph,
  node: string,
  source: string,
  wanted: string,
  document: Workflow,
  known: Catalogue,
  teacher: Teacher,
  at: Point,
): { graph: Graph; word: string } {
  let changed = graph;
  const taken = new Set<string>();
  let word = wanted;
  const teachers = () => Object.entries(changed.nodes).filter(([, s]) => s.type === teacher.type.id);
  for (const [, step] of teachers()) {
    const has = String(step.inputs?.[teacher.word] ?? "");
    if (step.inputs?.[teacher.source] === source) word = has;
    else taken.add(has);
  }
  for (let n = 2; taken.has(word); n++) word = `${wanted.slice(0, -1)}-${n}>`;
  for (const reader of readersOf(graph, node, document, known, teacher)) {
    const [fed] = linksOf(changed.nodes[reader.node]?.inputs?.[reader.port]);
    if (!fed || above(changed, fed.$from, source, teacher)) continue;
    const beside = teachers().find(
      ([, s]) => s.inputs?.[teacher.source] === source && linksOf(s.inputs?.[teacher.into])[0]?.$from === fed.$from,
    );
    let id = beside?.[0];
    if (id === undefined) {
      const values = { [teacher.into]: fed, [teacher.source]: source, [teacher.word]: word };
      ({ id, graph: changed } = addNode(changed, teacher.type, at, values));
    }
    changed = setValue(changed, reader, link({ node: id, port: teacher.out }));
  }
  return { graph: changed, word };
}

/** Whether an output has come through a node that teaches the file. */
function above(graph: Graph, from: string, source: string, teacher: Teacher): boolean {
  let at: string | undefined = from;
  for (let i = 0; at !== undefined && i < 1000; i++) {
    const step: Graph["nodes"][string] | undefined = graph.nodes[end(at).node];
    if (step?.type !== teacher.type.id) return false;
    if (step.inputs?.[teacher.source] === source) return true;
    at = linksOf(step.inputs?.[teacher.into])[0]?.$from;
  }
  return false;
}
