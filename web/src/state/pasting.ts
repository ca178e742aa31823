/** Putting copied nodes into the shown graph. */

import { paste } from "../core/clipboard";
import { graphAt, type Point, withGraph } from "../core/document";
import { editDocument, select } from "./session";

/** Returns whether the text was one of copied nodes. */
export function put(text: string, keepLinks: boolean, at: Point, what: string): boolean {
  let ids: readonly string[] = [];
  editDocument(what, (document, tab) => {
    const graph = graphAt(document, tab.path);
    const pasted = paste(document, graph, text, at, keepLinks);
    if (!pasted) return document;
    ids = pasted.ids;
    return withGraph(pasted.document, tab.path, pasted.graph);
  });
  if (ids.length > 0) select(ids);
  return ids.length > 0;
}
