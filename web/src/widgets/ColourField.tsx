import type { FieldProps } from "./Field";

export function ColourField({ label, value, doc, onChange }: FieldProps<string>) {
  const plain = /^#[0-9a-f]{6}$/i.test(value ?? "") ? value : "#000000";
  return (
    <div className="field colour" title={doc}>
      <span className="field-label" aria-hidden="true">
        {label}
      </span>
      <input
        type="text"
        className="nodrag"
        aria-label={label}
        value={value ?? ""}
        spellCheck={false}
        onChange={(event) => onChange(event.target.value)}
      />
      <input
        type="color"
        className="nodrag"
        aria-label={label}
        value={plain}
        onChange={(event) => onChange(event.target.value)}
      />
    </div>
  );
}
