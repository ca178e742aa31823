/** Finding what a mask or a sketch is painted on. */

import * as api from "../api/client";
import { type End, end, type Graph, linksOf } from "../core/document";
import { typeOfStep } from "../state/catalogue";
import { current, currentDocument, currentGraph } from "../state/session";
import { openDialog, type Put } from "../state/view";

/** @param on The node that the mask belongs to, or the output whose picture is painted over. */
export function openMask(on: string | End, mask: string | null, put: Put): void {
  const picture = typeof on === "string" ? underlay(currentGraph(), on) : pictureOf(currentGraph(), on);
  openDialog({ kind: "mask", put, picture, mask: mask ? api.uploadUrl(mask) : null });
}

export function openSketch(picture: string | null, put: Put): void {
  openDialog({ kind: "sketch", put, picture: picture ? api.uploadUrl(picture) : null });
}

/** The address of the picture a mask belongs to: one that meets the mask in some node, the nearest to a file. */
function underlay(graph: Graph, node: string): string | null {
  const document = currentDocument();
  for (const step of Object.values(graph.nodes)) {
    const inputs = Object.values(step.inputs ?? {}).flatMap((v) => linksOf(v).map((l) => end(l.$from)));
    if (!inputs.some((from) => from.node === node)) continue;
    for (const from of inputs) {
      if (from.node === node) continue;
      const found = pictureOf(graph, from);
      if (found) return found;
    }
  }
  for (const [id, step] of Object.entries(graph.nodes)) {
    const holds = typeOfStep(step, document).inputs.some(
      (i) => i.widget?.kind === "file" && i.widget.holds === "image",
    );
    const found = holds && id !== node ? pictureOf(graph, { node: id, port: "image" }) : null;
    if (found) return found;
  }
  return null;
}

/** The picture an output gives, where it is known: the file a node loads, or what the last run made. */
function pictureOf(graph: Graph, from: End): string | null {
  const step = graph.nodes[from.node];
  if (!step) return null;
  const type = typeOfStep(step, currentDocument());
  const output = type.outputs.find((o) => o.name === from.port);
  if (!output || !/Image/.test(output.type)) return null;
  const file = type.inputs.find((i) => i.widget?.kind === "file" && i.widget.holds === "image");
  const value = file && step.inputs?.[file.name];
  if (typeof value === "string" && value) return api.uploadUrl(value);
  const { job, path } = current();
  return job ? api.outputUrl(job, [...path, from.node].join("/"), from.port) : null;
}
