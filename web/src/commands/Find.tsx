import { useCallback } from "react";
import { linksOf } from "../core/document";
import { search } from "../core/search";
import { typeOfStep } from "../state/catalogue";
import { current, currentDocument, currentGraph } from "../state/session";
import { closeDialog } from "../state/view";
import { t } from "../text";
import { Picker } from "../ui/Picker";
import { goTo } from "./going";

interface Found {
  readonly id: string;
  readonly title: string;
  readonly values: string;
}

/** Find a node of the graph by its name or by what its fields hold. */
export default function Find() {
  const find = useCallback((query: string) => {
    const graph = currentGraph();
    const items = Object.entries(graph.nodes).map(([id, step]): Found => {
      const literals = Object.values(step.inputs ?? {}).filter((v) => linksOf(v).length === 0);
      const title = graph.layout?.looks?.[id]?.title ?? typeOfStep(step, currentDocument()).title;
      return { id, title, values: literals.map(String).join(" ") };
    });
    return search(items, query, (f) => [f.title, f.id, f.values]);
  }, []);
  return (
    <Picker
      label={t.find.label}
      placeholder={t.find.placeholder}
      find={find}
      keyOf={(f) => f.id}
      row={(f) => (
        <>
          <span>{f.title}</span>
          <span className="quiet">{f.id}</span>
        </>
      )}
      onPick={(f) => {
        closeDialog();
        goTo([...current().path, f.id].join("/"));
      }}
      onClose={closeDialog}
    />
  );
}
