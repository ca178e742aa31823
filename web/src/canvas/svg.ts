/** The shown graph as an SVG picture, in the colours of the dark editor. */

import { curve } from "../core/curve";
import { end, type Graph, linksOf, type Step } from "../core/document";
import { pointsOf } from "../core/reroutes";
import { FIELD, HEADER, portTop, type Row } from "../core/sizes";
import { typeOfStep } from "../state/catalogue";
import { around, type Box, boxes, shapeOfStep } from "../state/geometry";
import { currentDocument, currentGraph } from "../state/session";
import { hueOf, NODE_COLOURS } from "../ui/colours";

/** Room for links that lead back around their nodes. */
const MARGIN = 56;
const LINE = 16;
/** Letters that fit into a line of a field, and of a note 240 wide. */
const LETTERS = 36;
const STYLE =
  ".link{fill:none;stroke-width:2}.node{fill:#22242a;stroke:#3a3e48}.head{fill:#2c2f37}" +
  "text{font:12px system-ui,sans-serif;fill:#c9ccd4}.title{font-weight:600;fill:#e9eaee}.port{stroke:#22242a;stroke-width:2}";

export function graphSvg(): string {
  const graph = currentGraph();
  const all = boxes(graph, currentDocument());
  const { groups = [], notes = [] } = graph.layout ?? {};
  const beside = [...groups, ...notes].map(({ at: [x, y], size: [width, height] }) => ({ x, y, width, height }));
  const box = around([...all.values(), ...beside]) ?? { x: 0, y: 0, width: 0, height: 0 };
  const view = [box.x - MARGIN, box.y - MARGIN, box.width + MARGIN * 2, box.height + MARGIN * 2].map(Math.round);
  const [x, y, width, height] = view;
  const steps = Object.entries(graph.nodes);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="${view.join(" ")}" width="${width}" height="${height}">`,
    `<style>${STYLE}</style>`,
    `<rect x="${x}" y="${y}" width="${width}" height="${height}" fill="#17181c"/>`,
    ...groups.flatMap((g) => [
      rect({ x: g.at[0], y: g.at[1], width: g.size[0], height: g.size[1] }, `fill="${tint(g.colour, 0.35)}"`),
      words([g.title], g.at[0] + 14, g.at[1] + 22, "title"),
    ]),
    ...steps.flatMap(([id, step]) => linksInto(graph, all, id, step)),
    ...steps.flatMap(([id, step]) => node(graph, all.get(id), id, step)),
    ...notes.flatMap((n) => [
      rect(
        { x: n.at[0], y: n.at[1], width: n.size[0], height: n.size[1] },
        `fill="${tint(n.colour ?? "yellow", 0.35)}"`,
      ),
      words(lines(n.text, Math.round((LETTERS * n.size[0]) / 240)), n.at[0] + 12, n.at[1] + 26),
    ]),
    "</svg>\n",
  ].join("\n");
}

function rowsOf(graph: Graph, id: string, step: Step): readonly Row[] {
  return shapeOfStep(step, graph.layout?.looks?.[id], currentDocument(), false).rows;
}

function linksInto(graph: Graph, all: ReadonlyMap<string, Box>, id: string, step: Step): string[] {
  const to = all.get(id);
  return rowsOf(graph, id, step).flatMap((row) =>
    linksOf(step.inputs?.[row.input?.name ?? ""]).flatMap(({ $from }) => {
      const source = end($from);
      const from = all.get(source.node);
      const maker = graph.nodes[source.node];
      const out = maker && rowsOf(graph, source.node, maker).find((r) => r.output?.name === source.port);
      if (!to || !from || !out?.output) return [];
      const path = curve(
        [from.x + from.width, from.y + portTop(out)],
        pointsOf(graph, `${$from}>${id}.${row.input?.name}`),
        [to.x, to.y + portTop(row)],
      );
      return `<path d="${path}" class="link" stroke="${colour(hueOf(out.output.type))}"/>`;
    }),
  );
}

function node(graph: Graph, at: Box | undefined, id: string, step: Step): string[] {
  if (!at) return [];
  const look = graph.layout?.looks?.[id];
  const head = { ...at, height: Math.min(HEADER, at.height) };
  return [
    step.mode ? '<g opacity="0.45">' : "<g>",
    rect(at, 'class="node"'),
    rect(head, look?.colour ? `fill="${tint(look.colour, 0.45)}"` : 'class="head"'),
    words([look?.title || typeOfStep(step, currentDocument()).title], at.x + 12, at.y + 20, "title"),
    ...rowsOf(graph, id, step).flatMap((row) => (row.top > 0 ? port(row, step, at) : [])),
    "</g>",
  ];
}

function port(row: Row, step: Step, { x, y, width }: Box): string[] {
  const { input, output } = row;
  const middle = y + portTop(row);
  const parts: string[] = [];
  if (input) {
    const value = step.inputs?.[input.name];
    const shown = value === undefined || linksOf(value).length > 0 ? "" : String(value);
    const most = Math.max(1, Math.floor(row.height / LINE) - 1);
    parts.push(dot(x, middle, input.type));
    if (row.field && row.height > FIELD) {
      parts.push(words([input.title, ...lines(shown, LETTERS).slice(0, most)], x + 14, middle + 4));
    } else if (row.field || input.widget === null) {
      parts.push(words([shown ? `${input.title}: ${shown}`.slice(0, LETTERS) : input.title], x + 14, middle + 4));
    }
  }
  if (output) {
    parts.push(dot(x + width, middle, output.type), words([output.title], x + width - 14, middle + 4, "", "end"));
  }
  return parts;
}

function dot(x: number, y: number, type: string): string {
  return `<circle cx="${x}" cy="${y}" r="5.5" class="port" fill="${colour(hueOf(type))}"/>`;
}

function rect({ x, y, width, height }: Box, look: string): string {
  return `<rect x="${x}" y="${y}" width="${width}" height="${height}" rx="8" ${look}/>`;
}

function words(texts: readonly string[], x: number, y: number, look = "", anchor = "start"): string {
  const spans = texts.map((text, i) => `<tspan x="${x}" y="${y + i * LINE}">${escaped(text)}</tspan>`);
  return `<text class="${look}" text-anchor="${anchor}">${spans.join("")}</text>`;
}

/** A text in lines of so many letters, broken between words where there are some. */
function lines(text: string, letters: number): string[] {
  return text
    .split("\n")
    .flatMap((line) => line.match(new RegExp(`.{1,${letters}}(?=\\s|$)|.{1,${letters}}`, "g")) ?? [""]);
}

function tint(name: string | undefined, strength: number): string {
  const hue = NODE_COLOURS[name ?? ""];
  return hue === undefined
    ? "#1f2126"
    : plain(`color-mix(in oklch, oklch(0.6 0.12 ${hue}) ${strength * 100}%, #22242a)`);
}

function colour(hue: number): string {
  return plain(`oklch(0.72 0.13 ${hue})`);
}

/** A colour as every program that reads SVG knows it. */
function plain(css: string): string {
  const on = new OffscreenCanvas(1, 1).getContext("2d");
  if (!on) return css;
  on.fillStyle = css;
  on.fillRect(0, 0, 1, 1);
  const [r = 0, g = 0, b = 0] = on.getImageData(0, 0, 1, 1).data;
  return `rgb(${r},${g},${b})`;
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}
