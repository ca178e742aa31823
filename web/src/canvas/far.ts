/** A whole graph on one canvas: the view from afar, and the minimap. */

import { pieces } from "../core/curve";
import { end, type Graph, type Group, linksOf, type Workflow } from "../core/document";
import { pointsOf } from "../core/reroutes";
import { portTop } from "../core/sizes";
import { typeOfStep } from "../state/catalogue";
import { type Box, boxes, shapeOfStep } from "../state/geometry";
import { hueOf, NODE_COLOURS } from "../ui/colours";

export interface Scene {
  readonly boxes: ReadonlyMap<string, Box>;
  /** Of nodes that are bypassed or muted. */
  readonly faint: ReadonlySet<string>;
  /** By their hues: as curves, or straight. */
  readonly links: (straight: boolean) => ReadonlyMap<number, Path2D>;
  readonly groups: readonly Group[];
  readonly titles: ReadonlyMap<string, string>;
}

const HEAD = 30;
const CORNER = 8;
/** Under this zoom corners are square and links straight: nobody sees the difference, and it is drawn much faster. */
const PLAIN = 0.12;

export function scene(graph: Graph, document: Workflow, live: (id: string) => boolean): Scene {
  const all = boxes(graph, document, live);
  const faint = new Set<string>();
  const titles = new Map<string, string>();
  for (const id of all.keys()) {
    const step = graph.nodes[id];
    if (step?.mode) faint.add(id);
    const title = graph.layout?.looks?.[id]?.title ?? (step ? typeOfStep(step, document).title : id);
    titles.set(id, title);
  }
  const made: (ReadonlyMap<number, Path2D> | undefined)[] = [];
  const links = (straight: boolean) => {
    made[Number(straight)] ??= lines(graph, document, all, straight);
    return made[Number(straight)] as ReadonlyMap<number, Path2D>;
  };
  return { boxes: all, faint, links, groups: graph.layout?.groups ?? [], titles };
}

function lines(graph: Graph, document: Workflow, all: ReadonlyMap<string, Box>, straight: boolean) {
  const made = new Map<number, Path2D>();
  for (const [id, step] of Object.entries(graph.nodes)) {
    const to = all.get(id);
    if (!to) continue;
    for (const [port, value] of Object.entries(step.inputs ?? {})) {
      for (const { $from } of linksOf(value)) {
        const source = end($from);
        const from = all.get(source.node);
        const maker = graph.nodes[source.node];
        if (!from || !maker) continue;
        const type = typeOfStep(maker, document).outputs.find((o) => o.name === source.port)?.type ?? "?";
        const begin = from.y + offset(graph, document, source.node, source.port, "output");
        const finish = to.y + offset(graph, document, id, port, "input");
        const over = pointsOf(graph, `${$from}>${id}.${port}`);
        const hue = hueOf(type);
        const line = made.get(hue) ?? new Path2D();
        made.set(hue, line);
        line.moveTo(from.x + from.width, begin);
        for (const [, a, b, c] of pieces([from.x + from.width, begin], over, [to.x, finish])) {
          if (straight) line.lineTo(...c);
          else line.bezierCurveTo(...a, ...b, ...c);
        }
      }
    }
  }
  return made;
}

function offset(graph: Graph, document: Workflow, id: string, port: string, side: "input" | "output"): number {
  const step = graph.nodes[id];
  if (!step) return 0;
  const row = shapeOfStep(step, graph.layout?.looks?.[id], document, false).rows.find((r) => r[side]?.name === port);
  return row ? portTop(row) : HEAD / 2;
}

export interface Brush {
  readonly style: CSSStyleDeclaration;
  readonly selection: ReadonlySet<string>;
  readonly state: (id: string) => string | undefined;
}

/** Draw a scene. `zoom`, the offsets and the size are those of the view, in CSS pixels. */
export function paint(
  on: CanvasRenderingContext2D,
  drawn: Scene,
  { x, y, zoom }: { x: number; y: number; zoom: number },
  { style, selection, state }: Brush,
  width = Math.max(1, on.canvas.clientWidth),
  height = on.canvas.clientHeight,
): void {
  const scale = on.canvas.width / width;
  const colour = (name: string) => style.getPropertyValue(name).trim();
  on.setTransform(1, 0, 0, 1, 0, 0);
  on.clearRect(0, 0, on.canvas.width, on.canvas.height);
  on.setTransform(zoom * scale, 0, 0, zoom * scale, x * scale, y * scale);
  for (const group of drawn.groups) {
    const hue = NODE_COLOURS[group.colour ?? ""];
    on.fillStyle = hue === undefined ? colour("--group") : `oklch(0.6 0.09 ${hue} / 0.2)`;
    on.beginPath();
    on.roundRect(group.at[0], group.at[1], group.size[0], group.size[1], 10);
    on.fill();
  }
  on.lineWidth = Math.max(2, 1.2 / zoom);
  const light = colour("--link-light");
  const chroma = colour("--link-chroma");
  for (const [hue, path] of drawn.links(zoom < PLAIN)) {
    on.strokeStyle = `oklch(${light} ${chroma} ${hue})`;
    on.stroke(path);
  }
  const seen = inView(drawn.boxes, -x / zoom, -y / zoom, width / zoom, height / zoom);
  const sharp = zoom < PLAIN;
  const fill = (name: string, of: typeof seen, inset: number, height: (box: Box) => number) => {
    on.fillStyle = colour(name);
    if (!sharp) on.beginPath();
    for (const [, b] of of) {
      const place = [b.x + inset, b.y + inset, b.width - inset * 2, height(b) - inset * 2] as const;
      if (sharp) on.fillRect(...place);
      else on.roundRect(...place, CORNER);
    }
    if (!sharp) on.fill();
  };
  const all = (b: Box) => b.height;
  const edge = Math.max(1, 1 / zoom);
  for (const [alpha, of] of [
    [0.45, seen.filter(([id]) => drawn.faint.has(id))],
    [1, seen.filter(([id]) => !drawn.faint.has(id))],
  ] as const) {
    on.globalAlpha = alpha;
    fill("--node-edge", of, -edge / 2, all);
    fill("--node", of, edge / 2, all);
    fill("--node-head", of, edge / 2, (b) => Math.min(HEAD, b.height));
  }
  for (const [id, b] of seen) {
    const now = state(id);
    const chosen = selection.has(id);
    if (!chosen && now === undefined) continue;
    on.lineWidth = Math.max(3, 2.5 / zoom);
    on.strokeStyle = colour(chosen ? "--accent" : now === "failed" ? "--bad" : "--good");
    on.strokeRect(b.x, b.y, b.width, b.height);
  }
  if (zoom < 0.16) return;
  on.fillStyle = colour("--text");
  // near, where the node itself has it
  const near = zoom > 0.5;
  on.textAlign = near ? "left" : "center";
  on.textBaseline = "middle";
  on.font = near ? "600 12px system-ui, sans-serif" : `${Math.min(34, 11 / zoom)}px system-ui, sans-serif`;
  for (const [id, b] of seen) {
    const text = drawn.titles.get(id) ?? id;
    if (near) on.fillText(text, b.x + 33, b.y + HEAD / 2, 200);
    else on.fillText(text, b.x + b.width / 2, b.y + b.height / 2, 240);
  }
}

/** The boxes that meet a rectangle. */
function inView(boxes: ReadonlyMap<string, Box>, x: number, y: number, width: number, height: number) {
  return [...boxes].filter(([, b]) => b.x < x + width && b.y < y + height && b.x + b.width > x && b.y + b.height > y);
}

/** Make the canvas as sharp as the screen. */
export function fitCanvas(canvas: HTMLCanvasElement): CanvasRenderingContext2D | null {
  const scale = Math.min(2, devicePixelRatio || 1);
  const width = Math.round(canvas.clientWidth * scale);
  const height = Math.round(canvas.clientHeight * scale);
  if (canvas.width !== width || canvas.height !== height) {
    canvas.width = width;
    canvas.height = height;
  }
  return canvas.getContext("2d");
}

export function hit(drawn: Scene, x: number, y: number): string | undefined {
  let found: string | undefined;
  for (const [id, b] of drawn.boxes) {
    if (x >= b.x && x <= b.x + b.width && y >= b.y && y <= b.y + b.height) found = id;
  }
  return found;
}
