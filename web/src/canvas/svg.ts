/** The shown graph as an SVG picture. */

import { curve } from "../core/curve";
import { end, linksOf } from "../core/document";
import { pointsOf } from "../core/reroutes";
import { portTop } from "../core/sizes";
import { typeOfStep } from "../state/catalogue";
import { around, boxes, shapeOfStep } from "../state/geometry";
import { currentDocument, currentGraph } from "../state/session";
import { hueOf } from "../ui/colours";

const MARGIN = 24;

export function graphSvg(): string {
  const graph = currentGraph();
  const document = currentDocument();
  const all = boxes(graph, document);
  const box = around(all.values()) ?? { x: 0, y: 0, width: 0, height: 0 };
  const parts: string[] = [];
  const bodies: string[] = [];
  for (const [id, step] of Object.entries(graph.nodes)) {
    const at = all.get(id);
    if (!at) continue;
    const type = typeOfStep(step, document);
    const shape = shapeOfStep(step, graph.layout?.looks?.[id], document, false);
    bodies.push(step.mode ? '<g opacity="0.45">' : "<g>");
    bodies.push(`<rect x="${at.x}" y="${at.y}" width="${at.width}" height="${at.height}" rx="8" class="node"/>`);
    bodies.push(
      `<text x="${at.x + 12}" y="${at.y + 20}" class="title">${escaped(graph.layout?.looks?.[id]?.title ?? type.title)}</text>`,
    );
    for (const row of shape.rows) {
      const y = at.y + portTop(row);
      if (row.input && row.top > 0) {
        const value = step.inputs?.[row.input.name];
        const shown = value === undefined || linksOf(value).length > 0 ? "" : `: ${String(value).slice(0, 24)}`;
        bodies.push(`<circle cx="${at.x}" cy="${y}" r="4" fill="${colour(row.input.type)}"/>`);
        if (row.field || row.input.widget === null) {
          bodies.push(`<text x="${at.x + 12}" y="${y + 4}">${escaped(row.input.title + shown)}</text>`);
        }
        for (const { $from } of linksOf(value)) {
          const source = end($from);
          const from = all.get(source.node);
          const maker = graph.nodes[source.node];
          if (!from || !maker) continue;
          const rows = shapeOfStep(maker, graph.layout?.looks?.[source.node], document, false).rows;
          const out = rows.find((r) => r.output?.name === source.port);
          if (!out?.output) continue;
          const path = curve(
            [from.x + from.width, from.y + portTop(out)],
            pointsOf(graph, `${$from}>${id}.${row.input.name}`),
            [at.x, y],
          );
          parts.push(`<path d="${path}" stroke="${colour(out.output.type)}"/>`);
        }
      }
      if (row.output && row.top > 0) {
        bodies.push(`<circle cx="${at.x + at.width}" cy="${y}" r="4" fill="${colour(row.output.type)}"/>`);
        bodies.push(
          `<text x="${at.x + at.width - 12}" y="${y + 4}" text-anchor="end">${escaped(row.output.title)}</text>`,
        );
      }
    }
    bodies.push("</g>");
  }
  const view = [box.x - MARGIN, box.y - MARGIN, box.width + MARGIN * 2, box.height + MARGIN * 2].map(Math.round);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="${view.join(" ")}" width="${view[2]}" height="${view[3]}">`,
    "<style>path{fill:none;stroke-width:2}.node{fill:#23252b;stroke:#3a3d46}text{font:12px system-ui,sans-serif;fill:#c9ccd4}.title{font-weight:600;fill:#fff}</style>",
    `<rect x="${view[0]}" y="${view[1]}" width="${view[2]}" height="${view[3]}" fill="#17181c"/>`,
    ...parts,
    ...bodies,
    "</svg>\n",
  ].join("\n");
}

function colour(type: string): string {
  return `hsl(${hueOf(type)} 60% 62%)`;
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}
