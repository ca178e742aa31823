/** The canvas's nodes and links from the document. What did not change stays the same object, so that one edit draws
 * one node: React Flow compares by identity. */

import { type Edge, type Node, type NodeHandle, Position } from "@xyflow/react";
import {
  end,
  type Graph,
  type Group,
  type Look,
  linksOf,
  type Mode,
  type Note,
  type Point,
  type Step,
  type Workflow,
  wireOf,
} from "../core/document";
import { given } from "../core/fit";
import { pointsOf, type Reroutes } from "../core/reroutes";
import { portTop, type Shape } from "../core/sizes";
import { known, typeOfStep } from "../state/catalogue";
import { shapeOfStep, showsPicture } from "../state/geometry";
import { t } from "../text";

export const PORT = 11;
const NOTE = "note:";
const GROUP = "group:";

const LED = "point:";
/** Half the width of the point of a link. */
export const RADIUS = 7;

/** The canvas's id for a point of a link. */
export const pointNode = (link: string, index: number) => `${LED}${link}#${index}`;

export function pointId(id: string): { readonly link: string; readonly index: number } | undefined {
  if (!id.startsWith(LED)) return undefined;
  const hash = id.lastIndexOf("#");
  return { link: id.slice(LED.length, hash), index: Number(id.slice(hash + 1)) };
}

export const noteNode = (id: string) => `${NOTE}${id}`;
export const groupNode = (id: string) => `${GROUP}${id}`;
export const noteId = (id: string) => (id.startsWith(NOTE) ? id.slice(NOTE.length) : undefined);
export const groupId = (id: string) => (id.startsWith(GROUP) ? id.slice(GROUP.length) : undefined);

interface Drawn {
  readonly shape: Shape;
  readonly look: Look | undefined;
  readonly mode: Mode | undefined;
  readonly point: Point;
  readonly selected: boolean;
  readonly node: Node;
}

interface Input {
  readonly graph: Graph;
  readonly document: Workflow;
  /** The nodes that are drawn. */
  readonly near: ReadonlySet<string>;
  readonly selection: ReadonlySet<string>;
  readonly drag: Readonly<Record<string, Point>> | null;
  /** Whether what is dragged becomes a copy. */
  readonly copying: boolean;
  readonly live: (id: string) => boolean;
}

const ORIGIN: Point = [0, 0];

/** What screen readers call nodes and links. */
const NODE_ROLE = { "aria-roledescription": t.node.role };
const LINK_ROLE = { "aria-roledescription": t.canvas.linkRole };

/** A drawer of nodes that remembers what it drew. */
export function nodeDrawer(): (input: Input) => Node[] {
  let last: Node[] = [];
  let drawn = new Map<string, Drawn>();
  const decorations = new WeakMap<Note | Group, Drawn["node"]>();
  let points = new Map<string, DrawnPoint>();
  let ghosts = new Map<string, Node>();
  return ({ graph, document, near, selection, drag, copying, live }) => {
    const next = new Map<string, Drawn>();
    const made: Node[] = [];
    for (const group of graph.layout?.groups ?? []) {
      made.push(decoration(decorations, groupNode(group.id), "group", group, selection, drag, -1));
    }
    for (const note of graph.layout?.notes ?? []) {
      made.push(decoration(decorations, noteNode(note.id), "note", note, selection, drag, 0));
    }
    for (const [id, step] of Object.entries(graph.nodes)) {
      if (!near.has(id)) continue;
      const look = graph.layout?.looks?.[id];
      const point = drag?.[id] ?? graph.layout?.nodes?.[id] ?? ORIGIN;
      const item = drawStep(drawn.get(id), id, step, look, point, selection.has(id), document, live(id));
      next.set(id, item);
      made.push(item.node);
    }
    drawn = next;
    const led = new Map<string, DrawnPoint>();
    for (const [link, over] of Object.entries(graph.layout?.reroutes ?? {})) {
      const { source, target } = wireOf(link);
      if (!linksOf(graph.nodes[target.node]?.inputs?.[target.port]).some((l) => l.$from === link.split(">")[0]))
        continue;
      const type = given(graph, source, document, known());
      over.forEach((point, i) => {
        const id = pointNode(link, i);
        led.set(id, drawPoint(points.get(id), id, link, drag?.[id] ?? point, drag?.[id] ? 0 : RADIUS, type, selection));
      });
    }
    points = led;
    made.push(...[...led.values()].map((p) => p.node));
    const stay = new Map<string, Node>();
    if (copying) {
      for (const id of Object.keys(drag ?? {})) {
        const item = next.get(id);
        if (item) stay.set(id, ghosts.get(id) ?? ghost(id, item, graph.layout?.nodes?.[id] ?? ORIGIN));
      }
    }
    ghosts = stay;
    made.push(...stay.values());
    if (made.length === last.length && made.every((node, i) => node === last[i])) return last;
    last = made;
    return made;
  };
}

interface DrawnPoint {
  readonly x: number;
  readonly y: number;
  readonly node: Node;
}

function drawPoint(
  old: DrawnPoint | undefined,
  id: string,
  link: string,
  at: Point,
  inset: number,
  type: string,
  selection: ReadonlySet<string>,
): DrawnPoint {
  const [x, y] = [at[0] - inset, at[1] - inset];
  const selected = selection.has(id);
  if (old && old.x === x && old.y === y && old.node.selected === selected && old.node.data.type === type) return old;
  const size = { width: RADIUS * 2, height: RADIUS * 2 };
  const [from = "", to = ""] = link.split(">");
  const ariaLabel = t.canvas.point(from, to);
  const node: Node = {
    id,
    type: "point",
    position: { x, y },
    data: { type },
    selected,
    ...size,
    measured: size,
    zIndex: 5,
    ariaLabel,
  };
  return { x, y, node };
}

/** What shows where nodes were in the version that this one is compared with. */
export function removedNodes(graph: Graph, document: Workflow, ids: readonly string[]): Node[] {
  return ids.flatMap((id) => {
    const step = graph.nodes[id];
    if (!step) return [];
    const look = graph.layout?.looks?.[id];
    const [x, y] = graph.layout?.nodes?.[id] ?? ORIGIN;
    const { width, height } = shapeOfStep(step, look, document, false);
    const size = { width, height };
    return {
      id: `removed:${id}`,
      type: "ghost",
      position: { x, y },
      data: { removed: look?.title || typeOfStep(step, document).title },
      ...size,
      measured: size,
      draggable: false,
      selectable: false,
      focusable: false,
    };
  });
}

/** What shows where a node stays of which a copy is dragged. */
function ghost(id: string, { shape }: Drawn, at: Point): Node {
  const size = { width: shape.width, height: shape.height };
  return {
    id: `ghost:${id}`,
    type: "ghost",
    position: { x: at[0], y: at[1] },
    data: {},
    ...size,
    measured: size,
    draggable: false,
    selectable: false,
    focusable: false,
  };
}

function drawStep(
  old: Drawn | undefined,
  id: string,
  step: Step,
  look: Look | undefined,
  point: Point,
  selected: boolean,
  document: Workflow,
  live: boolean,
): Drawn {
  const preview = showsPicture(typeOfStep(step, document), look, live);
  const shape = shapeOfStep(step, look, document, preview);
  const same = old && (old.shape === shape || sameShape(old.shape, shape));
  if (
    same &&
    old.mode === step.mode &&
    old.look?.title === look?.title &&
    old.point[0] === point[0] &&
    old.point[1] === point[1] &&
    old.selected === selected
  ) {
    return old.shape === shape && old.look === look ? old : { ...old, shape, look };
  }
  const { width, height } = shape;
  const node: Node = {
    id,
    type: "step",
    position: { x: point[0], y: point[1] },
    data: {},
    ariaLabel: t.node.label(
      look?.title || typeOfStep(step, document).title,
      id,
      step.mode === undefined ? "" : t.modes[step.mode],
    ),
    selected,
    width,
    height,
    measured: { width, height },
    domAttributes: NODE_ROLE,
    handles: same ? (old.node.handles ?? handles(shape)) : handles(shape),
    zIndex: selected ? 10 : 1,
  };
  return { shape, look, mode: step.mode, point, selected, node };
}

function sameShape(a: Shape, b: Shape): boolean {
  return (
    a.height === b.height &&
    a.rows.length === b.rows.length &&
    a.rows.every((row, i) => {
      const other = b.rows[i];
      return (
        other !== undefined &&
        row.top === other.top &&
        row.height === other.height &&
        row.input?.name === other.input?.name &&
        row.output?.name === other.output?.name
      );
    })
  );
}

function handles(shape: Shape): NodeHandle[] {
  const made: NodeHandle[] = [];
  for (const row of shape.rows) {
    const y = portTop(row) - PORT / 2;
    const size = { width: PORT, height: PORT, y };
    if (row.input) made.push({ id: row.input.name, type: "target", position: Position.Left, x: -PORT / 2, ...size });
    if (row.output) {
      made.push({ id: row.output.name, type: "source", position: Position.Right, x: shape.width - PORT / 2, ...size });
    }
  }
  return made;
}

function decoration(
  known: WeakMap<Note | Group, Node>,
  id: string,
  type: "note" | "group",
  item: Note | Group,
  selection: ReadonlySet<string>,
  drag: Readonly<Record<string, Point>> | null,
  zIndex: number,
): Node {
  const [x, y] = drag?.[id] ?? item.at;
  const selected = selection.has(id);
  const old = known.get(item);
  if (old && old.selected === selected && old.position.x === x && old.position.y === y) return old;
  const [width, height] = item.size;
  const node: Node = {
    id,
    type,
    position: { x, y },
    data: { item },
    ariaLabel: "title" in item ? `${t.canvas.group}: ${item.title}` : t.canvas.note,
    domAttributes: NODE_ROLE,
    selected,
    width,
    height,
    measured: { width, height },
    zIndex,
  };
  known.set(item, node);
  return node;
}

interface DrawnLinks {
  readonly step: Step;
  readonly reroutes: Reroutes | undefined;
  readonly sources: readonly (Step | undefined)[];
  readonly edges: readonly Edge[];
}

/** A drawer of the links between near nodes that remembers what it drew. */
export function linkDrawer(): (
  graph: Graph,
  document: Workflow,
  near: ReadonlySet<string>,
  selection: ReadonlySet<string>,
) => Edge[] {
  let drawn = new Map<string, DrawnLinks>();
  let last: Edge[] = [];
  return (graph, document, near, selection) => {
    const next = new Map<string, DrawnLinks>();
    const made: Edge[] = [];
    for (const [id, step] of Object.entries(graph.nodes)) {
      if (!near.has(id)) continue;
      const old = drawn.get(id);
      const fresh =
        old &&
        old.step === step &&
        old.reroutes === graph.layout?.reroutes &&
        old.edges.every((edge, i) => graph.nodes[edge.source] === old.sources[i]);
      let item = fresh ? old : linksInto(graph, document, id, step, old);
      if (item.edges.some((edge) => edge.selected !== selection.has(edge.id))) {
        const edges = item.edges.map((e) =>
          e.selected === selection.has(e.id) ? e : { ...e, selected: selection.has(e.id) },
        );
        item = { ...item, edges };
      }
      next.set(id, item);
      for (const edge of item.edges) if (near.has(edge.source)) made.push(edge);
    }
    drawn = next;
    if (made.length === last.length && made.every((edge, i) => edge === last[i])) return last;
    last = made;
    return made;
  };
}

function linksInto(
  graph: Graph,
  document: Workflow,
  target: string,
  step: Step,
  old: DrawnLinks | undefined,
): DrawnLinks {
  const edges: Edge[] = [];
  const sources: (Step | undefined)[] = [];
  for (const [port, value] of Object.entries(step.inputs ?? {})) {
    for (const { $from } of linksOf(value)) {
      const source = end($from);
      const from = graph.nodes[source.node];
      if (!from) continue; // a dangling link is a problem of its port
      const id = `${$from}>${target}.${port}`;
      const type = given(graph, source, document, known());
      const points = pointsOf(graph, id);
      const before = old?.edges.find((e) => e.id === id);
      sources.push(from);
      edges.push(
        before?.data?.type === type && before.data.points === points
          ? before
          : {
              id,
              type: "link",
              source: source.node,
              sourceHandle: source.port,
              target,
              targetHandle: port,
              data: { type, points },
              ariaLabel: t.canvas.link($from, `${target}.${port}`),
              domAttributes: LINK_ROLE,
              selected: false,
              focusable: false,
            },
      );
    }
  }
  return { step, reroutes: graph.layout?.reroutes, sources, edges };
}
