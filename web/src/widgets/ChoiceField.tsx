import { useEffect } from "react";
import type { Widget } from "../core/catalogue";
import type { Json } from "../core/document";
import { loadChoices, loadPreviews, useCatalogue } from "../state/catalogue";
import { type Choice, choose } from "../ui/chooser";
import { Icon } from "../ui/Icon";
import type { FieldProps } from "./Field";

interface Props extends FieldProps {
  readonly widget: Extract<Widget, { kind: "choice" }>;
}

function choicesOf(widget: Props["widget"], served: Readonly<Record<string, string>> | undefined): Choice[] {
  return served
    ? Object.entries(served).map(([name, note]) => ({ value: JSON.stringify(name), title: name, note }))
    : widget.values.map((v) => ({ value: JSON.stringify(v), title: String(v) }));
}

export function ChoiceField({ widget, value, label, doc, onChange }: Props) {
  const { list } = widget;
  const served = useCatalogue((s) => (list === null ? undefined : s.choices[list]));
  useEffect(() => {
    if (list !== null) void loadChoices(list);
  }, [list]);
  const choices = choicesOf(widget, served);
  const open = async (button: HTMLButtonElement) => {
    if (list !== null) {
      const loaded = loadChoices(list, true);
      void loadPreviews();
      if (!served) await loaded; // what is seen is what was there before, and what comes now is seen the next time
    }
    choose(button, {
      label,
      choices: choicesOf(widget, useCatalogue.getState().choices[list ?? ""]),
      pictured: list !== null,
      value: JSON.stringify(value ?? null),
      onPick: (picked) => onChange(JSON.parse(picked) as Json),
    });
  };
  /** The value beside the one now, as in a native list. */
  const beside = (by: number) => {
    const at = choices.findIndex((c) => c.value === JSON.stringify(value));
    const next = choices[at + by];
    if (next) onChange(JSON.parse(next.value) as Json);
  };
  const shown = value === undefined || value === null ? "" : String(value);
  return (
    <div className="field choice" title={doc}>
      <span className="field-label" aria-hidden="true">
        {label}
      </span>
      <button
        type="button"
        className="nodrag"
        aria-haspopup="listbox"
        aria-label={`${label}: ${shown}`}
        onClick={(event) => void open(event.currentTarget)}
        onKeyDown={(event) => {
          if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
          event.preventDefault();
          event.stopPropagation();
          beside(event.key === "ArrowDown" ? 1 : -1);
        }}
      >
        <span className="field-value">{shown}</span>
        <Icon name="chevron" size={12} />
      </button>
    </div>
  );
}
