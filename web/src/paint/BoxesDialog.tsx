import { useEffect, useMemo, useRef, useState } from "react";
import * as api from "../api/client";
import { between, LEAST, type PromptBox, proportions, readBoxes, within, writeBoxes } from "../core/boxes";
import { useRuns } from "../state/runs";
import { current, currentGraph } from "../state/session";
import { closeDialog, type Put } from "../state/view";
import { t } from "../text";
import { Dialog } from "../ui/Dialog";
import { IconButton } from "../ui/IconButton";
import { LeaveButton, useLeave } from "./Leave";
import "./boxes.css";

type Corner = "nw" | "ne" | "sw" | "se";
const CORNERS: readonly Corner[] = ["nw", "ne", "sw", "se"];
const LARGE = 560;
const STEP = 0.01;
const ARROWS: Readonly<Record<string, readonly [number, number]>> = {
  ArrowLeft: [-STEP, 0],
  ArrowRight: [STEP, 0],
  ArrowUp: [0, -STEP],
  ArrowDown: [0, STEP],
};

/** Drawing boxes with a prompt each. The document gets them when this is done, as one step. */
export default function BoxesDialog({ node, value, put }: { node: string; value: string; put: Put }) {
  const begun = useMemo(() => readBoxes(value), [value]);
  const [boxes, setBoxes] = useState<readonly PromptBox[]>(begun.boxes);
  const [chosen, setChosen] = useState(0);
  const [fresh, setFresh] = useState<number | null>(null);
  const shape = useMemo(() => proportions(currentGraph(), node), [node]);
  const behind = useRuns((s) => s.jobs[current().job ?? ""]?.results.at(-1));
  const change = (at: number, by: Partial<PromptBox>) =>
    setBoxes((all) => all.map((box, i) => (i === at ? within({ ...box, ...by }) : box)));
  const add = (box: Pick<PromptBox, "x" | "y" | "width" | "height">) => {
    setBoxes((all) => [...all, { ...box, weight: 1, prompt: "" }]);
    setChosen(boxes.length);
    setFresh(boxes.length);
  };
  const remove = (at: number) => {
    setBoxes((all) => all.filter((_, i) => i !== at));
    setChosen(Math.max(0, at - 1));
    setFresh(null);
  };
  const leaving = useLeave(boxes !== begun.boxes, boxes);
  const done = () => {
    put(writeBoxes(boxes, begun.rest));
    closeDialog();
  };
  return (
    <Dialog label={t.boxes.label} className="boxes-dialog" headed onClose={leaving.leave}>
      <div className="boxes-body">
        <Stage
          boxes={boxes}
          chosen={chosen}
          shape={shape}
          picture={behind === undefined ? null : api.resultUrl(behind)}
          onChoose={setChosen}
          onChange={change}
          onAdd={add}
          onRemove={remove}
        />
        <div className="boxes-list">
          <p className="quiet">{t.boxes.hint}</p>
          <ol>
            {boxes.map((box, i) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: a box is its place in the list
              <li key={i} className={i === chosen ? "chosen" : ""}>
                <Line
                  box={box}
                  number={i + 1}
                  fresh={i === fresh}
                  onFocus={() => setChosen(i)}
                  onChange={(by) => change(i, by)}
                  onRemove={() => remove(i)}
                />
              </li>
            ))}
          </ol>
          <button type="button" className="button" onClick={() => add({ x: 0.25, y: 0.25, width: 0.5, height: 0.5 })}>
            {t.boxes.add}
          </button>
        </div>
      </div>
      <div className="dialog-foot">
        <LeaveButton {...leaving} />
        <button type="button" className="button primary" onClick={done}>
          {t.paint.done}
        </button>
      </div>
    </Dialog>
  );
}

interface StageProps {
  readonly boxes: readonly PromptBox[];
  readonly chosen: number;
  readonly shape: number;
  readonly picture: string | null;
  readonly onChoose: (at: number) => void;
  readonly onChange: (at: number, by: Partial<PromptBox>) => void;
  readonly onAdd: (box: Pick<PromptBox, "x" | "y" | "width" | "height">) => void;
  readonly onRemove: (at: number) => void;
}

interface Grip {
  readonly x: number;
  readonly y: number;
  readonly at: number | null;
  readonly corner: Corner | null;
  readonly box: PromptBox | null;
}

function Stage({ boxes, chosen, shape, picture, onChoose, onChange, onAdd, onRemove }: StageProps) {
  const stage = useRef<HTMLDivElement>(null);
  const grip = useRef<Grip | null>(null);
  const [drawn, setDrawn] = useState<ReturnType<typeof between> | null>(null);
  const width = shape >= 1 ? LARGE : LARGE * shape;

  const point = (event: React.PointerEvent): [number, number] => {
    const box = stage.current?.getBoundingClientRect();
    return box ? [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height] : [0, 0];
  };
  const down = (event: React.PointerEvent) => {
    if (event.button !== 0 || !(event.target instanceof HTMLElement)) return;
    const [x, y] = point(event);
    const held = event.target.closest<HTMLElement>("[data-box]");
    const at = held ? Number(held.dataset.box) : null;
    grip.current = {
      x,
      y,
      at,
      corner: (event.target.dataset.corner as Corner | undefined) ?? null,
      box: boxes[at ?? -1] ?? null,
    };
    if (at !== null) onChoose(at);
    stage.current?.setPointerCapture(event.pointerId);
  };
  const move = (event: React.PointerEvent) => {
    const held = grip.current;
    if (!held) return;
    const [x, y] = point(event);
    if (held.at === null || !held.box) {
      setDrawn(between(held.x, held.y, x, y));
      return;
    }
    const { box, corner } = held;
    if (corner === null) onChange(held.at, { x: box.x + x - held.x, y: box.y + y - held.y });
    else {
      const fixedX = corner.endsWith("w") ? box.x + box.width : box.x;
      const fixedY = corner.startsWith("n") ? box.y + box.height : box.y;
      onChange(held.at, between(fixedX, fixedY, x, y));
    }
  };
  const up = () => {
    grip.current = null;
    if (drawn && drawn.width > LEAST && drawn.height > LEAST) onAdd(drawn);
    setDrawn(null);
  };
  const keys = (event: React.KeyboardEvent, at: number, box: PromptBox) => {
    const by = ARROWS[event.key];
    if (by) {
      if (event.shiftKey) onChange(at, { width: box.width + by[0], height: box.height + by[1] });
      else onChange(at, { x: box.x + by[0], y: box.y + by[1] });
    } else if (event.key === "Delete" || event.key === "Backspace") onRemove(at);
    else return;
    event.preventDefault();
  };
  return (
    <div
      ref={stage}
      className="boxes-stage"
      style={{ width, aspectRatio: shape, backgroundImage: picture ? `url("${picture}")` : undefined }}
      onPointerDown={down}
      onPointerMove={move}
      onPointerUp={up}
      onPointerCancel={() => {
        grip.current = null;
        setDrawn(null);
      }}
    >
      {boxes.map((box, i) => (
        <button
          // biome-ignore lint/suspicious/noArrayIndexKey: a box is its place in the list
          key={i}
          type="button"
          data-box={i}
          className={`prompt-box ${i === chosen ? "chosen" : ""}`}
          style={{ ...placed(box), "--hue": (i * 67 + 250) % 360 } as React.CSSProperties}
          aria-label={t.boxes.box(i + 1, box.prompt)}
          aria-pressed={i === chosen}
          onFocus={() => onChoose(i)}
          onKeyDown={(event) => keys(event, i, box)}
        >
          <span className="prompt-box-text">
            {i + 1} {box.prompt}
          </span>
          {i === chosen &&
            CORNERS.map((corner) => <span key={corner} className={`corner ${corner}`} data-corner={corner} />)}
        </button>
      ))}
      {drawn && <div className="prompt-box drawn" style={placed(drawn)} />}
    </div>
  );
}

function placed({ x, y, width, height }: Pick<PromptBox, "x" | "y" | "width" | "height">): React.CSSProperties {
  const part = (value: number) => `${value * 100}%`;
  return { left: part(x), top: part(y), width: part(width), height: part(height) };
}

interface LineProps {
  readonly box: PromptBox;
  readonly number: number;
  /** Whether it was just drawn, and waits for its prompt. */
  readonly fresh: boolean;
  readonly onFocus: () => void;
  readonly onChange: (by: Partial<PromptBox>) => void;
  readonly onRemove: () => void;
}

const SIDES = [
  ["x", "left"],
  ["y", "top"],
  ["width", "width"],
  ["height", "height"],
] as const;

function Line({ box, number, fresh, onFocus, onChange, onRemove }: LineProps) {
  const prompt = useRef<HTMLInputElement>(null);
  useEffect(() => {
    if (fresh) prompt.current?.focus();
  }, [fresh]);
  return (
    <fieldset onFocus={onFocus}>
      <legend className="unseen">{t.boxes.box(number, box.prompt)}</legend>
      <div className="boxes-line">
        <strong>{number}</strong>
        <input
          ref={prompt}
          type="text"
          aria-label={t.boxes.prompt(number)}
          placeholder={t.boxes.what}
          value={box.prompt}
          onChange={(event) => onChange({ prompt: event.target.value })}
        />
        <IconButton icon="trash" size={14} label={t.boxes.remove(number)} onClick={onRemove} />
      </div>
      <div className="boxes-numbers">
        {SIDES.map(([side, name]) => (
          <label key={side}>
            <span>{t.paint[name]}</span>
            <input
              type="number"
              min={0}
              max={1}
              step={STEP}
              value={box[side]}
              onChange={(event) => onChange({ [side]: Number(event.target.value) })}
            />
          </label>
        ))}
        <label>
          <span>{t.boxes.weight}</span>
          <input
            type="number"
            min={0.1}
            max={100}
            step={0.1}
            value={box.weight}
            onChange={(event) => Number(event.target.value) > 0 && onChange({ weight: Number(event.target.value) })}
          />
        </label>
      </div>
    </fieldset>
  );
}
