import { useCallback } from "react";
import type { End } from "../core/document";
import { connect } from "../core/edits";
import { canConnect, given } from "../core/fit";
import { search } from "../core/search";
import { fits, known, typeOfStep } from "../state/catalogue";
import { currentDocument, currentGraph, edit } from "../state/session";
import { announce, closeDialog } from "../state/view";
import { t } from "../text";
import { Dot } from "../ui/Dot";
import { Picker } from "../ui/Picker";

interface Offer {
  readonly source: End;
  readonly target: End;
  readonly list: boolean;
  readonly type: string;
  readonly label: string;
}

/** Connecting by keyboard: every link that the node could have, as a list. */
export default function Connect({ node }: { node: string }) {
  const find = useCallback((query: string) => search(offers(node), query, (o) => [o.label, o.type]), [node]);
  return (
    <Picker
      label={t.connect.label(node)}
      placeholder={t.connect.placeholder}
      find={find}
      keyOf={(o) => `${o.source.node}-${o.source.port}-${o.target.node}-${o.target.port}`}
      row={(o) => (
        <>
          <span>{o.label}</span>
          <span className="quiet">
            {o.type} <Dot type={o.type} />
          </span>
        </>
      )}
      onPick={(o) => {
        closeDialog();
        edit(t.edits.connect, (graph) => connect(graph, o.source, o.target, o.list));
        announce(o.label);
      }}
      onClose={closeDialog}
    />
  );
}

function offers(node: string): Offer[] {
  const graph = currentGraph();
  const document = currentDocument();
  const found: Offer[] = [];
  const own = graph.nodes[node];
  if (!own) return found;
  const consider = (source: End, target: End, list: boolean, label: string) => {
    if (!canConnect(graph, source, target, document, known(), fits()).ok) return;
    found.push({ source, target, list, label, type: given(graph, source, document, known()) });
  };
  const type = typeOfStep(own, document);
  for (const [id, step] of Object.entries(graph.nodes)) {
    if (id === node) continue;
    const other = typeOfStep(step, document);
    for (const output of type.outputs) {
      for (const input of other.inputs) {
        const target = { node: id, port: input.name };
        consider({ node, port: output.name }, target, input.list, t.connect.out(output.name, `${id}.${input.name}`));
      }
    }
    for (const input of type.inputs) {
      for (const output of other.outputs) {
        const source = { node: id, port: output.name };
        consider(source, { node, port: input.name }, input.list, t.connect.into(input.name, `${id}.${output.name}`));
      }
    }
  }
  return found;
}
