import { openDialog } from "../state/view";
import { t } from "../text";
import { IconButton } from "../ui/IconButton";
import type { FieldProps } from "./Field";

/** Boxes with prompts: their lines, and a canvas to draw them on. */
export function BoxesField({ label, value, doc, place, onChange }: FieldProps<string>) {
  return (
    <div className="field area boxes" title={doc}>
      <span className="field-label">{label}</span>
      <IconButton
        icon="form"
        size={14}
        className="nodrag"
        label={t.boxes.draw}
        onClick={() => openDialog({ kind: "boxes", node: place.node, value: value ?? "", put: onChange })}
      />
      <textarea
        aria-label={label}
        className="nodrag nowheel"
        value={value ?? ""}
        placeholder="0 0 0.5 1: …"
        spellCheck={false}
        onChange={(event) => onChange(event.target.value)}
      />
    </div>
  );
}
