/** A mask for a picture in the graph: the node that holds it, and where its link goes. */

import { type Catalogue, defaults, type NodeType, typeOf } from "./catalogue";
import { type End, end, type Graph, linksOf, type Point, type Workflow, wiresFrom } from "./document";
import { addNode, connect, setValue } from "./edits";

/** A node type whose field is painted, and the output that gives what was painted. */
export interface Masker {
  readonly type: NodeType;
  readonly file: string;
  readonly out: NodeType["outputs"][number];
}

export function maskerOf(known: Catalogue): Masker | undefined {
  for (const type of known.values()) {
    const file = type.inputs.find((i) => i.widget?.kind === "file" && i.widget.holds === "mask");
    const [out] = type.outputs;
    if (file && out) return { type, file: file.name, out };
  }
  return undefined;
}

/** The inputs for a mask of the nodes that a picture goes to. */
function takers(graph: Graph, picture: End, document: Workflow, known: Catalogue, { out }: Masker): End[] {
  const nodes = new Set(wiresFrom(graph, picture).map((w) => w.target.node));
  return [...nodes].flatMap((node) => {
    const step = graph.nodes[node];
    const inputs = step ? typeOf(step, document, known).inputs : [];
    return inputs.filter((i) => i.type === out.type).map((i) => ({ node, port: i.name }));
  });
}

/** The node that holds the painted mask of a picture already. */
export function maskOf(graph: Graph, picture: End, document: Workflow, known: Catalogue, masker: Masker) {
  for (const { node, port } of takers(graph, picture, document, known, masker)) {
    for (const { $from } of linksOf(graph.nodes[node]?.inputs?.[port])) {
      if (graph.nodes[end($from).node]?.type === masker.type.id) return end($from).node;
    }
  }
  return undefined;
}

/** The graph with a mask for a picture, linked to the nodes that take both and have none; and its node.
 *
 * @param at Where a node for it is put, if one is needed.
 */
export function withMask(
  graph: Graph,
  picture: End,
  file: string,
  at: Point,
  document: Workflow,
  known: Catalogue,
  masker: Masker,
): { graph: Graph; id: string } {
  const there = maskOf(graph, picture, document, known, masker);
  if (there !== undefined) return { graph: setValue(graph, { node: there, port: masker.file }, file), id: there };
  const added = addNode(graph, masker.type, at, { ...defaults(masker.type), [masker.file]: file });
  let changed = added.graph;
  for (const taker of takers(graph, picture, document, known, masker)) {
    if (linksOf(graph.nodes[taker.node]?.inputs?.[taker.port]).length > 0) continue;
    changed = connect(changed, { node: added.id, port: masker.out.name }, taker, false);
  }
  return { graph: changed, id: added.id };
}
