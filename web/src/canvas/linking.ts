/** Links of the shown graph, by what the canvas calls them. */

import { type End, type Graph, type Wire, wireOf } from "../core/document";
import { connect, disconnect } from "../core/edits";
import { typeOfStep } from "../state/catalogue";
import { currentDocument } from "../state/session";

export function inputAt(graph: Graph, { node, port }: End) {
  const step = graph.nodes[node];
  return step && typeOfStep(step, currentDocument()).inputs.find((i) => i.name === port);
}

/** Cut a link. An input with a widget falls back to its default. */
export function cutFrom(graph: Graph, link: string): Graph {
  const wire = wireOf(link);
  const port = inputAt(graph, wire.target);
  return disconnect(graph, wire, port?.widget ? port.default : undefined);
}

export function linked(graph: Graph, { source, target }: Wire): Graph {
  return connect(graph, source, target, inputAt(graph, target)?.list === true);
}
