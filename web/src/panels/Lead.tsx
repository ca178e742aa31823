import { useCallback } from "react";
import { leadOver } from "../canvas/leading";
import { wireId, wires } from "../core/document";
import { search } from "../core/search";
import { currentGraph } from "../state/session";
import { closeDialog } from "../state/view";
import { t } from "../text";
import { Picker } from "../ui/Picker";

/** Leading a link over a point by keyboard: the links of a node as a list. */
export default function Lead({ node }: { node: string }) {
  const find = useCallback(
    (query: string) => {
      const own = wires(currentGraph()).filter((w) => w.source.node === node || w.target.node === node);
      return search(own.map(wireId), query, (id) => [id]);
    },
    [node],
  );
  return (
    <Picker
      label={t.connect.lead(node)}
      placeholder={t.connect.placeholder}
      find={find}
      keyOf={(id) => id}
      row={(id) => <span>{id.replace(">", " → ")}</span>}
      onPick={(id) => {
        closeDialog();
        leadOver(id);
      }}
      onClose={closeDialog}
    />
  );
}
