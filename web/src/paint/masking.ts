/** Painting a mask for what an output shows: the node that holds it is put into the graph when it is done. */

import { type Masker, maskerOf, maskOf, withMask } from "../core/masking";
import { known, typeOfStep } from "../state/catalogue";
import { boxes } from "../state/geometry";
import { chosenNodes, currentDocument, currentGraph, edit, select } from "../state/session";
import { inform } from "../state/view";
import { t } from "../text";
import { openMask } from "./opening";

/** The first output of a node that is a picture. */
export function pictureOutput(node: string): string | undefined {
  const step = currentGraph().nodes[node];
  return step && typeOfStep(step, currentDocument()).outputs.find((o) => o.type === "Image")?.name;
}

export function maskChosen(): void {
  const [node] = chosenNodes();
  const port = node === undefined ? undefined : pictureOutput(node);
  if (node === undefined || port === undefined) inform(t.paint.noOutput);
  else maskOn(node, port);
}

export function maskOn(node: string, port: string): void {
  const masker = maskerOf(known());
  if (!masker) return;
  const picture = { node, port };
  const there = maskOf(currentGraph(), picture, currentDocument(), known(), masker);
  const held = there === undefined ? undefined : currentGraph().nodes[there]?.inputs?.[masker.file];
  openMask(picture, typeof held === "string" ? held : null, (file) => keep(node, port, file, masker));
}

const GAP = 36;

function keep(node: string, port: string, file: string, masker: Masker): void {
  let made: string | undefined;
  edit(t.edits.mask, (graph, document) => {
    const box = boxes(graph, document).get(node) ?? { x: 0, y: 0, width: 0, height: 0 };
    const found = withMask(graph, { node, port }, file, [box.x, box.y + box.height + GAP], document, known(), masker);
    made = found.id;
    return found.graph;
  });
  if (made !== undefined) select([made]);
}
