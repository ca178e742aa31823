import { useLayoutEffect, useRef } from "react";
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
        className="nodrag"
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

/** A prompt. Ctrl+Up and Ctrl+Down weight the word at the caret, or what is selected; Ctrl+Space completes it. */
export function PromptField({ label, value, doc, place, wildcards, onChange }: PromptProps) {
  const area = useRef<HTMLTextAreaElement>(null);
  const selection = useRef<[number, number] | null>(null);
  useLayoutEffect(() => {
    if (selection.current === null) return;
    area.current?.setSelectionRange(...selection.current);
    selection.current = null;
  });
  const complete = async (from: HTMLTextAreaElement) => {
    const { complete: open } = await import("../prompts/completing");
    await open(from, place, wildcards, (made) => {
      selection.current = [made.caret, made.caret];
      onChange(made.text);
    });
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
    selection.current = [made.from, made.to];
    onChange(made.text);
  };
  return (
    <label className="field area" title={doc}>
      <span className="field-label">{label}</span>
      <textarea
        ref={area}
        aria-label={label}
        className="nodrag nowheel"
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
        className="nodrag nowheel"
        value={(value ?? []).join("\n")}
        placeholder={t.field.lines}
        spellCheck={false}
        onChange={(event) => onChange(event.target.value.split("\n"))}
      />
    </label>
  );
}
