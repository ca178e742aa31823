/** Where nodes are and how large, from the document and the catalogue: nothing is measured on screen. */

import type { NodeType, OutputPort } from "../core/catalogue";
import type { End, Graph, Look, Point, Step, Wire, Workflow } from "../core/document";
import { type Box, portTop, type Shape, shapeOf } from "../core/sizes";
import { typeOfStep } from "./catalogue";

export type { Box };

interface Known {
  readonly type: NodeType;
  readonly look: Look | undefined;
  readonly preview: boolean;
  readonly shape: Shape;
}

const shapes = new WeakMap<Step, Known>();

/** The shape of a node; the same object until what it depends on changes. */
export function shapeOfStep(step: Step, look: Look | undefined, document: Workflow, preview: boolean): Shape {
  const type = typeOfStep(step, document);
  const last = shapes.get(step);
  if (last && last.type === type && last.look === look && last.preview === preview) return last.shape;
  const shape = shapeOf(type, step, look, preview);
  shapes.set(step, { type, look, preview, shape });
  return shape;
}

/** Whether a node shows a picture: what keeps a picture does, others where asked to or while they make one. */
export function showsPicture(type: NodeType, look: Look | undefined, live: boolean): boolean {
  if (look?.collapsed || look?.preview === false) return false;
  if (look?.preview || live) return true;
  return type.known && !type.pure && type.inputs.some((i) => i.type === "Image");
}

/** How a value of a type is looked at; undefined for one that is only handed on. */
export function lookAt(type: string): "picture" | "latent" | "words" | undefined {
  const item = type.replace(/^list\[(.*)\]$/, "$1");
  if (item === "Image" || item === "Mask") return "picture";
  if (item === "Latent") return "latent";
  return ["str", "int", "float", "bool"].includes(item) ? "words" : undefined;
}

/** The output of a type that its node shows: a picture before a latent, and that before words. */
export function shownOutput(type: NodeType): OutputPort | undefined {
  const first = (how: ReturnType<typeof lookAt>) => type.outputs.find((o) => lookAt(o.type) === how);
  return first("picture") ?? first("latent") ?? first("words");
}

export function boxes(graph: Graph, document: Workflow, live: (id: string) => boolean = () => false) {
  const found = new Map<string, Box>();
  for (const [id, step] of Object.entries(graph.nodes)) {
    const look = graph.layout?.looks?.[id];
    const [x, y] = graph.layout?.nodes?.[id] ?? [0, 0];
    const preview = showsPicture(typeOfStep(step, document), look, live(id));
    const { width, height } = shapeOfStep(step, look, document, preview);
    found.set(id, { x, y, width, height });
  }
  return found;
}

/** Boxes as large as the nodes get in a run, where what samples shows the picture as it forms: what arranging leaves. */
export function grownBoxes(graph: Graph, document: Workflow) {
  const samples = (step: Step) => {
    const { inputs, outputs } = typeOfStep(step, document);
    return inputs.some((i) => i.type === "Model") && outputs.some((o) => o.type === "Latent");
  };
  return boxes(graph, document, (id) => graph.nodes[id] !== undefined && samples(graph.nodes[id]));
}

/** Where the ends of links are; undefined for a link to what is not there. */
export function linkEnds(graph: Graph, document: Workflow, places: ReadonlyMap<string, Box>) {
  const point = ({ node, port }: End, side: "input" | "output"): Point | undefined => {
    const box = places.get(node);
    const step = graph.nodes[node];
    if (!box || !step) return undefined;
    const rows = shapeOfStep(step, graph.layout?.looks?.[node], document, false).rows;
    const row = rows.find((r) => r[side]?.name === port);
    return row && [box.x + (side === "output" ? box.width : 0), box.y + portTop(row)];
  };
  return ({ source, target }: Wire): readonly [Point, Point] | undefined => {
    const from = point(source, "output");
    const to = point(target, "input");
    return from && to && [from, to];
  };
}

/** The smallest box around boxes; null around none. */
export function around(items: Iterable<Box>): Box | null {
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  for (const b of items) {
    left = Math.min(left, b.x);
    top = Math.min(top, b.y);
    right = Math.max(right, b.x + b.width);
    bottom = Math.max(bottom, b.y + b.height);
  }
  return left === Infinity ? null : { x: left, y: top, width: right - left, height: bottom - top };
}

/** The least room between nodes that leaves their links to be seen. */
const ROOM = 24;

/** Whether nodes of a graph lie over or against each other, as in documents laid out for other sizes. */
export function overlaps(graph: Graph, document: Workflow): boolean {
  const all = [...boxes(graph, document).values()].sort((a, b) => a.x - b.x);
  return all.some((a, i) => {
    for (let j = i + 1; j < all.length; j++) {
      const b = all[j];
      if (!b || b.x >= a.x + a.width + ROOM) return false;
      if (a.y < b.y + b.height && b.y < a.y + a.height) return true;
    }
    return false;
  });
}
