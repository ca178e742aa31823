/** Seeds that change with every run. */

import { type Catalogue, typeOf } from "./catalogue";
import type { Graph, Workflow } from "./document";
import { setValue } from "./edits";

/** New values for them, inside subgraphs too: random ones before a run, the next number after it. */
export function reseeded(document: Workflow, mode: "random" | "next", known: Catalogue): Workflow {
  let changed = seeded(document, document, mode, known) as Workflow;
  for (const [name, inner] of Object.entries(document.definitions ?? {})) {
    const next = seeded(inner, document, mode, known);
    if (next !== inner) changed = { ...changed, definitions: { ...changed.definitions, [name]: next } };
  }
  return changed;
}

function seeded(from: Graph, document: Workflow, mode: "random" | "next", known: Catalogue): Graph {
  let graph = from;
  for (const [node, look] of Object.entries(graph.layout?.looks ?? {})) {
    if (look.seed !== mode) continue;
    const step = graph.nodes[node];
    for (const { name: port, widget } of step ? typeOf(step, document, known).inputs : []) {
      const value = step?.inputs?.[port];
      if (widget?.kind !== "seed" || typeof value !== "number") continue;
      graph = setValue(graph, { node, port }, mode === "random" ? randomSeed() : (value + 1) % 2 ** 53);
    }
  }
  return graph;
}

/** Ten digits: enough never to meet one again, few enough to read aloud. */
export function randomSeed(): number {
  return Math.floor(Math.random() * 2 ** 32);
}
