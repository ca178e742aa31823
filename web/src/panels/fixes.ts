/** What can be done about a problem at a press. */

import type { Problem } from "../api/client";
import { graphPoint } from "../canvas/state";
import { goTo } from "../commands/registry";
import { type Graph, withGraph } from "../core/document";
import { removeInput, setValue } from "../core/edits";
import { known, typeOfStep } from "../state/catalogue";
import { currentDocument, edit, editDocument } from "../state/session";
import { openDialog } from "../state/view";
import { t } from "../text";

export interface Fix {
  readonly title: string;
  readonly act: () => void;
}

/** The fix of a problem; null where only its reader can know. */
export function fixOf({ code, node, port, message }: Problem): Fix | null {
  const document = currentDocument();
  const step = document.nodes[node];
  if (!step) return null;
  const near = /did you mean '([^']+)'/.exec(message)?.[1];
  if (port === null) {
    const type = code === "unknown_type" && near !== undefined && known().get(near);
    if (!type) return null;
    const turned = (g: Graph) => ({ ...g, nodes: { ...g.nodes, [node]: { ...step, type: type.id } } });
    return { title: t.fixes.use(type.title), act: () => edit(t.edits.value, turned) };
  }
  const input = typeOfStep(step, document).inputs.find((i) => i.name === port);
  if (code === "bad_value" && near !== undefined) {
    return { title: t.fixes.use(near), act: () => edit(t.edits.value, (g) => setValue(g, { node, port }, near)) };
  }
  if (code === "unknown_input") {
    return {
      title: t.fixes.drop(port),
      act: () => editDocument(t.edits.remove, (d) => withGraph(d, [], removeInput(d, { node, port }))),
    };
  }
  if (code === "missing_input" && input && input.widget === null) {
    return {
      title: t.fixes.add(input.type),
      act: () => {
        goTo(node);
        const pull = { from: { node, port }, side: "target" as const, type: input.type };
        const [x, y] = currentDocument().layout?.nodes?.[node] ?? graphPoint();
        openDialog({ kind: "palette", at: [x - 60, y], screen: null, pull });
      },
    };
  }
  return null;
}
