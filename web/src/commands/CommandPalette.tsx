import { useCallback } from "react";
import { search } from "../core/search";
import { closeDialog, useView } from "../state/view";
import { t } from "../text";
import { Picker } from "../ui/Picker";
import { shown } from "./keymap";
import { useKeysOf } from "./keys";
import { COMMANDS, type Command } from "./registry";

export default function CommandPalette() {
  const graph = useView((s) => s.view === "graph");
  const find = useCallback(
    (query: string) =>
      search(
        COMMANDS.filter((c) => graph || !c.graph),
        query,
        (c: Command) => [c.title, t.groups[c.group]],
      ),
    [graph],
  );
  return (
    <Picker
      label={t.commands.label}
      placeholder={t.commands.placeholder}
      find={find}
      keyOf={(c) => c.id}
      heading={(c) => t.groups[c.group]}
      row={(c) => (
        <>
          <span>{c.title}</span>
          <Keys command={c} />
        </>
      )}
      onPick={(c) => {
        closeDialog();
        // after the dialog is gone, since some commands open the next one
        setTimeout(c.run);
      }}
      onClose={closeDialog}
    />
  );
}

function Keys({ command }: { command: Command }) {
  const [first] = useKeysOf(command);
  return first === undefined ? null : <kbd>{shown(first)}</kbd>;
}
