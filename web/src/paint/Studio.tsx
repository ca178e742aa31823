import { type ReactNode, useEffect, useRef, useState } from "react";
import { t } from "../text";
import { Dialog } from "../ui/Dialog";
import { IconButton } from "../ui/IconButton";
import { Board } from "./Board";
import { LeaveButton, useLeave } from "./Leave";
import type { Brush, Painter, Tool } from "./painter";
import "./studio.css";

interface Props {
  readonly label: string;
  readonly painter: Painter;
  readonly version: number;
  readonly picture: CanvasImageSource | null;
  readonly tint: string | null;
  readonly tools: readonly Tool[];
  readonly brush: Brush;
  readonly onBrush: (change: Partial<Brush>) => void;
  readonly onDone: () => void;
  /** What Ctrl+I does, where there is something to invert. */
  readonly onInvert?: () => void;
  readonly children: ReactNode;
}

const LARGEST = 400;
const KEYS: Readonly<Record<string, Tool>> = { b: "brush", e: "eraser", r: "rectangle", l: "lasso", g: "fill" };

/** The room around a board: tools, sliders, and the keys for them. */
export function Studio({ label, painter, version, picture, tint, tools, brush, onBrush, ...more }: Props) {
  const { onDone, onInvert, children } = more;
  const leaving = useLeave(painter.canUndo, version);
  const [before, setBefore] = useState<Tool>("eraser");
  const size = (value: number) => onBrush({ size: Math.min(LARGEST, Math.max(1, Math.round(value))) });
  const keys = (event: KeyboardEvent) => {
    if (event.target instanceof HTMLInputElement && event.target.type !== "range") return;
    const key = event.key.toLowerCase();
    const mod = event.ctrlKey || event.metaKey;
    const tool = KEYS[key];
    if (mod && key === "z") event.shiftKey ? painter.redo() : painter.undo();
    else if (mod && key === "y") painter.redo();
    else if (mod && key === "enter") onDone();
    else if (mod && key === "i") onInvert?.();
    else if (mod) return;
    else if (key === "[") size(brush.size * 0.85);
    else if (key === "]") size(brush.size * 1.18);
    else if (key === "x") {
      setBefore(brush.tool);
      onBrush({ tool: before });
    } else if (tool && tools.includes(tool)) onBrush({ tool });
    else return;
    event.preventDefault();
  };
  const latest = useRef(keys);
  useEffect(() => {
    latest.current = keys;
  });
  // on the window: who paints has the focus nowhere
  useEffect(() => {
    const listen = (event: KeyboardEvent) => latest.current(event);
    addEventListener("keydown", listen);
    return () => removeEventListener("keydown", listen);
  }, []);
  useEffect(() => {
    painter.brush = brush;
  }, [painter, brush]);
  return (
    <Dialog label={label} className="studio" headed onClose={leaving.leave}>
      <div className="studio-room">
        <Board painter={painter} picture={picture} tint={tint} version={version} onBrushSize={size} />
        <div className="studio-tools">
          <fieldset className="segments">
            <legend className="unseen">{t.paint.tools}</legend>
            {tools.map((tool) => (
              <label key={tool}>
                <input type="radio" name="tool" checked={brush.tool === tool} onChange={() => onBrush({ tool })} />
                <span>{t.paint[tool]}</span>
              </label>
            ))}
          </fieldset>
          <Range label={t.paint.size} value={brush.size} min={1} max={LARGEST} onChange={size} />
          <Range
            label={t.paint.hardness}
            value={brush.hardness}
            min={0}
            max={1}
            onChange={(hardness) => onBrush({ hardness })}
          />
          <Range
            label={t.paint.opacity}
            value={brush.opacity}
            min={0.05}
            max={1}
            onChange={(opacity) => onBrush({ opacity })}
          />
          <div className="studio-buttons">
            <IconButton icon="undo" label={t.paint.undo} disabled={!painter.canUndo} onClick={() => painter.undo()} />
            <IconButton icon="redo" label={t.paint.redo} disabled={!painter.canRedo} onClick={() => painter.redo()} />
            <button type="button" className="button" onClick={() => painter.clear()}>
              {t.paint.clear}
            </button>
          </div>
          {children}
          <div className="dialog-foot">
            <LeaveButton {...leaving} />
            <button type="button" className="button primary" onClick={onDone}>
              {t.paint.done}
            </button>
          </div>
        </div>
      </div>
    </Dialog>
  );
}

interface RangeProps {
  readonly label: string;
  readonly value: number;
  readonly min: number;
  readonly max: number;
  readonly onChange: (value: number) => void;
}

function Range({ label, value, min, max, onChange }: RangeProps) {
  return (
    <label className="range">
      <span>{label}</span>
      <input
        type="range"
        min={min}
        max={max}
        step={max > 1 ? 1 : 0.05}
        value={value}
        onChange={(event) => onChange(Number(event.target.value))}
      />
      <output>{max > 1 ? value : `${Math.round(value * 100)} %`}</output>
    </label>
  );
}
