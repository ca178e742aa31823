import { useRef, useState } from "react";
import { evaluate, snapped } from "../core/arithmetic";
import type { Widget } from "../core/catalogue";
import { t } from "../text";
import type { FieldProps } from "./Field";
import { SizeButton } from "./SizeButton";

type Numeric = Extract<Widget, { kind: "number" | "slider" }>;

interface Props extends FieldProps<number> {
  /** What is said beside the label. */
  readonly note?: string;
  readonly widget:
    | Numeric
    | { readonly whole: true; readonly min: number; readonly max: number; readonly step: number };
}

/** Pixels of the pointer for one step. */
const PACE = 6;

/** A number: typed, as arithmetic too, stepped with the arrows, or dragged sideways. Shift is fine, Ctrl coarse. */
export function NumberField({ widget, value, label, doc, onChange, place, name, note }: Props) {
  const [typed, setTyped] = useState<string | null>(null);
  const input = useRef<HTMLInputElement>(null);
  const { min, max, step, whole } = widget;
  const shown = value ?? 0;
  const put = (next: number) => {
    const made = snapped(next, step, min, max, whole);
    if (made !== value) onChange(made);
  };
  const commit = () => {
    if (typed === null) return;
    const made = evaluate(typed);
    if (made !== null) put(made);
    setTyped(null);
  };
  const grain = (event: { shiftKey: boolean; ctrlKey: boolean }) =>
    step * (event.ctrlKey ? 10 : 1) * (event.shiftKey && !whole ? 0.1 : 1);

  const keys = (event: React.KeyboardEvent) => {
    if (event.key === "ArrowUp") put(shown + grain(event));
    else if (event.key === "ArrowDown") put(shown - grain(event));
    else if (event.key === "PageUp") put(shown + step * 10);
    else if (event.key === "PageDown") put(shown - step * 10);
    else if (event.key === "Enter" && !event.ctrlKey) commit();
    else if (event.key === "Escape" && typed !== null) setTyped(null);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };

  // a press that moves drags the value; one that does not puts the caret into the field
  const down = (event: React.PointerEvent) => {
    if (event.button !== 0 || document.activeElement === input.current) return;
    event.preventDefault();
    const from = event.clientX;
    const start = shown;
    let moved = false;
    const surface = event.currentTarget;
    surface.setPointerCapture(event.pointerId);
    const span = max - min;
    const ratio = slider && Number.isFinite(span) ? span / surface.getBoundingClientRect().width : undefined;
    const move = (e: Event) => {
      const now = e as PointerEvent;
      const by = now.clientX - from;
      if (!moved && Math.abs(by) < 3) return;
      moved = true;
      document.documentElement.classList.add("scrubbing");
      const fine = now.shiftKey ? 0.1 : 1;
      const least = whole ? step : step * fine;
      const change =
        ratio === undefined ? Math.round(by / PACE) * grain(now) : Math.round((by * ratio * fine) / least) * least;
      put(start + change);
    };
    const up = () => {
      surface.removeEventListener("pointermove", move);
      surface.removeEventListener("pointerup", up);
      surface.removeEventListener("pointercancel", up);
      document.documentElement.classList.remove("scrubbing");
      if (!moved) {
        input.current?.focus();
        input.current?.select();
      }
    };
    surface.addEventListener("pointermove", move);
    surface.addEventListener("pointerup", up);
    surface.addEventListener("pointercancel", up);
  };

  const slider = "kind" in widget && widget.kind === "slider";
  const part = slider ? Math.min(1, Math.max(0, (shown - min) / (max - min))) : undefined;
  return (
    <div
      className={`field number nodrag nokey ${slider ? "slider" : ""}`}
      title={doc}
      onPointerDown={down}
      style={part === undefined ? undefined : ({ "--part": part } as React.CSSProperties)}
    >
      <span className="field-label" title={note}>
        {label} {note}
      </span>
      <input
        ref={input}
        type="text"
        inputMode="decimal"
        role="spinbutton"
        aria-label={label}
        aria-valuenow={shown}
        {...(Number.isFinite(min) && { "aria-valuemin": min })}
        {...(Number.isFinite(max) && { "aria-valuemax": max })}
        aria-description={t.field.expression}
        autoComplete="off"
        data-untyped={typed === null || undefined}
        value={typed ?? (value === undefined ? "" : String(value))}
        onChange={(event) => setTyped(event.target.value)}
        onBlur={commit}
        onKeyDown={keys}
      />
      {name === "width" && <SizeButton node={place.node} />}
    </div>
  );
}
