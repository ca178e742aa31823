/** What can be done about a problem at a press. */

import type { Problem } from "../api/client";
import { graphPoint } from "../canvas/state";
import { goTo } from "../commands/going";
import type { NodeType } from "../core/catalogue";
import { type Graph, type Wire, wires, withGraph } from "../core/document";
import { addNode, removeInput, setValue, splice } from "../core/edits";
import { WIDTH } from "../core/sizes";
import { fits, known, typeOfStep } from "../state/catalogue";
import { currentDocument, edit, editDocument } from "../state/session";
import { openDialog } from "../state/view";
import { t } from "../text";

export interface Fix {
  readonly title: string;
  readonly act: () => void;
}

/** The fix of a problem; null where only its reader can know. */
export function fixOf({ code, node, port, message }: Problem): Fix | null {
  const document = currentDocument();
  const step = document.nodes[node];
  if (!step) return null;
  const near = /did you mean '([^']+)'/.exec(message)?.[1];
  if (port === null) {
    const type = code === "unknown_type" && near !== undefined && known().get(near);
    if (!type) return null;
    const turned = (g: Graph) => ({ ...g, nodes: { ...g.nodes, [node]: { ...step, type: type.id } } });
    return { title: t.fixes.use(type.title), act: () => edit(t.edits.value, turned) };
  }
  const input = typeOfStep(step, document).inputs.find((i) => i.name === port);
  if (code === "bad_value" && near !== undefined) {
    return { title: t.fixes.use(near), act: () => edit(t.edits.value, (g) => setValue(g, { node, port }, near)) };
  }
  if (code === "unknown_input") {
    return {
      title: t.fixes.drop(port),
      act: () => editDocument(t.edits.remove, (d) => withGraph(d, [], removeInput(d, { node, port }))),
    };
  }
  if (code === "type_mismatch") {
    const wire = wires(document).find((w) => w.target.node === node && w.target.port === port);
    const between = wire && [...known().values()].map((type) => inserted(type, wire)).find((made) => made !== null);
    return between ? { title: t.fixes.between(between.title), act: () => edit(t.edits.splice, between.graph) } : null;
  }
  if (code === "missing_input" && input && input.widget === null) {
    return {
      title: t.fixes.add(input.type),
      act: () => {
        goTo(node);
        const pull = { from: { node, port }, side: "target" as const, type: input.type };
        const [x, y] = currentDocument().layout?.nodes?.[node] ?? graphPoint();
        openDialog({ kind: "palette", at: [x - 60, y], screen: null, pull });
      },
    };
  }
  return null;
}

/** How a graph becomes one where a node of a type stands in a link that does not fit; null where that does not help.
 * Only a node that does one thing is offered: one output, and the link into an input that it must have. */
function inserted(type: NodeType, wire: Wire): { title: string; graph: (graph: Graph) => Graph } | null {
  if (type.id.includes("/") || type.outputs.length !== 1) return null;
  const made = (graph: Graph) => {
    const [x, y] = graph.layout?.nodes?.[wire.target.node] ?? [0, 0];
    const added = addNode(graph, type, [x - WIDTH - 32, y]);
    const spliced = splice(added.graph, added.id, wire, currentDocument(), known(), fits());
    const into = wires(spliced ?? graph).find((w) => w.target.node === added.id)?.target.port;
    return type.inputs.some((i) => i.name === into && i.required) ? spliced : null;
  };
  return made(currentDocument()) && { title: type.title, graph: (graph) => made(graph) ?? graph };
}
