import { weighted } from "../core/emphasis";
import { t } from "../text";
import type { FieldProps } from "./Field";

export function TextField({ label, value, doc, onChange }: FieldProps<string>) {
  return (
    <label className="field text" title={doc}>
      <span className="field-label">{label}</span>
      <input
        type="text"
        aria-label={label}
        className="nodrag nokey"
        value={value ?? ""}
        spellCheck={false}
        autoComplete="off"
        onChange={(event) => onChange(event.target.value)}
      />
    </label>
  );
}

interface PromptProps extends FieldProps<string> {
  readonly wildcards: string | null;
}

/** Put a text into a field as if it had been typed, so that the field's own undo knows of it. */
function retype(area: HTMLTextAreaElement, text: string, from: number, to: number): void {
  const old = area.value;
  let start = 0;
  while (start < old.length && old[start] === text[start]) start++;
  let end = 0;
  while (end < Math.min(old.length, text.length) - start && old.at(-1 - end) === text.at(-1 - end)) end++;
  if (start < old.length - end || start < text.length - end) {
    area.focus();
    area.setSelectionRange(start, old.length - end);
    // deprecated, and the only way there is to do this
    document.execCommand("insertText", false, text.slice(start, text.length - end));
  }
  area.setSelectionRange(from, to);
}

/** A prompt. Ctrl+Up and Ctrl+Down weight the word at the caret, or what is selected; Ctrl+Space completes it. */
export function PromptField({ label, value, doc, place, wildcards, onChange }: PromptProps) {
  const complete = async (from: HTMLTextAreaElement) => {
    const { complete: open } = await import("../prompts/completing");
    await open(from, place, wildcards, ({ text, caret }) => retype(from, text, caret, caret));
  };
  const keys = (event: React.KeyboardEvent<HTMLTextAreaElement>) => {
    if (event.key === " " && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      void complete(event.currentTarget);
      return;
    }
    const up = event.key === "ArrowUp";
    if (!(event.ctrlKey || event.metaKey) || (!up && event.key !== "ArrowDown")) return;
    event.preventDefault();
    const { value: text, selectionStart: from, selectionEnd: to } = event.currentTarget;
    const made = weighted({ text, from, to }, up);
    retype(event.currentTarget, made.text, made.from, made.to);
  };
  return (
    <label className="field area" title={doc}>
      <span className="field-label">{label}</span>
      <textarea
        aria-label={label}
        className="nodrag nowheel nokey"
        value={value ?? ""}
        spellCheck={false}
        onChange={(event) => onChange(event.target.value)}
        onKeyDown={keys}
      />
    </label>
  );
}

export function LinesField({ label, value, doc, onChange }: FieldProps<string[]>) {
  return (
    <label className="field area" title={doc}>
      <span className="field-label">{label}</span>
      <textarea
        aria-label={label}
        className="nodrag nowheel nokey"
        value={(value ?? []).join("\n")}
        placeholder={t.field.lines}
        spellCheck={false}
        onChange={(event) => onChange(event.target.value.split("\n"))}
      />
    </label>
  );
}
