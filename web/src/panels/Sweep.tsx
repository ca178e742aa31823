import { useEffect, useId, useMemo, useState } from "react";
import * as api from "../api/client";
import { firstValues, type Sweepable, sweepable } from "../core/sweeps";
import { known } from "../state/catalogue";
import { currentDocument } from "../state/session";
import { startSweep } from "../state/sweeps";
import { closeDialog, complain, openDialog } from "../state/view";
import { moment, t } from "../text";
import { Dialog } from "../ui/Dialog";
import "./sweep.css";

interface Line {
  readonly name: string;
  readonly values: string;
}

const NONE: Line = { name: "", values: "" };
const PAUSE = 250;

/** What to vary, along one axis or two, and how many pictures that makes. */
export default function Sweep({ target }: { target: string | null }) {
  const all = useMemo(() => sweepable(currentDocument(), known()), []);
  const [lines, setLines] = useState<readonly [Line, Line]>(() => {
    const first = all.find((s) => `${s.target.node}.${s.target.port}` === target) ?? all[0];
    return [first ? { name: first.name, values: firstValues(first) } : NONE, NONE];
  });
  const [size, setSize] = useState<number | null>(null);
  const [wrong, setWrong] = useState("");
  const [busy, setBusy] = useState(false);
  const axes = useMemo(() => Object.fromEntries(lines.flatMap((l) => (l.name ? [[l.name, l.values]] : []))), [lines]);
  const whole = lines.every((l) => l.name === "" || l.values.trim() !== "") && lines[0].name !== "";

  useEffect(() => {
    setSize(null);
    setWrong("");
    if (!whole) return;
    const stop = new AbortController();
    const timer = setTimeout(() => {
      api.sweepSize({ document: currentDocument(), axes }, stop.signal).then(
        ({ cells }) => setSize(cells),
        (error: unknown) => !stop.signal.aborted && setWrong(error instanceof Error ? error.message : String(error)),
      );
    }, PAUSE);
    return () => {
      clearTimeout(timer);
      stop.abort();
    };
  }, [axes, whole]);

  const change = (at: 0 | 1, line: Line) => setLines((now) => (at === 0 ? [line, now[1]] : [now[0], line]));
  return (
    <Dialog label={t.sweep.label} className="sweep" headed onClose={closeDialog}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          setBusy(true);
          startSweep(axes)
            .catch(complain)
            .finally(() => setBusy(false));
        }}
      >
        <AxisLines
          label={t.sweep.first}
          all={all}
          line={lines[0]}
          taken={lines[1].name}
          onChange={(l) => change(0, l)}
        />
        <AxisLines
          label={t.sweep.second}
          all={all}
          line={lines[1]}
          taken={lines[0].name}
          optional
          onChange={(l) => change(1, l)}
        />
        <p className={wrong ? "bad" : "quiet"} role="status">
          {wrong || (size === null ? "" : t.sweep.size(size))}
        </p>
        <div className="dialog-foot">
          <button type="button" className="button" onClick={closeDialog}>
            {t.files.cancel}
          </button>
          <button type="submit" className="button primary" disabled={!whole || wrong !== "" || busy}>
            {t.run.run}
          </button>
        </div>
      </form>
      <Earlier />
    </Dialog>
  );
}

interface AxisProps {
  readonly label: string;
  readonly all: readonly Sweepable[];
  readonly line: Line;
  readonly taken: string;
  readonly optional?: boolean;
  readonly onChange: (line: Line) => void;
}

function AxisLines({ label, all, line, taken, optional = false, onChange }: AxisProps) {
  const hint = useId();
  const chosen = all.find((s) => s.name === line.name);
  const kind = chosen?.input.widget?.kind;
  const text = kind === "text" || kind === "textarea";
  return (
    <fieldset>
      <legend className="unseen">{label}</legend>
      <label className="stacked">
        <span>{label}</span>
        <select
          value={line.name}
          onChange={(event) => {
            const next = all.find((s) => s.name === event.target.value);
            onChange(next ? { name: next.name, values: firstValues(next) } : NONE);
          }}
        >
          {optional && <option value="">{t.sweep.none}</option>}
          {all
            .filter((s) => s.name !== taken)
            .map((s) => (
              <option key={s.name} value={s.name}>
                {s.label}
              </option>
            ))}
        </select>
      </label>
      {chosen && (
        <>
          <textarea
            rows={text ? 3 : 1}
            aria-label={t.sweep.values(chosen.label)}
            aria-describedby={hint}
            value={line.values}
            spellCheck={false}
            onChange={(event) => onChange({ name: line.name, values: event.target.value })}
          />
          <p id={hint} className="quiet">
            {text ? t.sweep.texts : t.sweep.numbers}
          </p>
        </>
      )}
    </fieldset>
  );
}

/** Sweeps of before, to look at again. */
function Earlier() {
  const [sweeps, setSweeps] = useState<readonly api.SweepLine[]>([]);
  useEffect(() => {
    api.sweeps(5).then((all) => setSweeps(all.sweeps), complain);
  }, []);
  if (sweeps.length === 0) return null;
  return (
    <section className="sweeps">
      <h3>{t.sweep.earlier}</h3>
      <ul className="lines">
        {sweeps.map((s) => (
          <li key={s.id}>
            <span>
              {s.name || t.app.untitled}: {s.axes.map((a) => a.name).join(" × ")}
            </span>
            <span className="quiet">{moment(s.created)}</span>
            <button type="button" className="button" onClick={() => openDialog({ kind: "grid", id: s.id })}>
              {t.sweep.show}
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}
