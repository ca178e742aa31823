import { useMemo } from "react";
import { useShallow } from "zustand/react/shallow";
import * as api from "../api/client";
import { useRuns } from "../state/runs";
import { useTab } from "../state/session";
import { useSweeps } from "../state/sweeps";
import { openDialog } from "../state/view";
import { t } from "../text";
import "./results.css";

const MOST = 60;

/** The ids of the latest pictures, newest first, beginning with those of the shown run. */
function useLatest(): readonly string[] {
  const job = useTab((tab) => tab.job);
  const ids = useRuns(
    useShallow((s) => {
      const own = job === null ? [] : (s.jobs[job]?.results ?? []);
      const others = Object.values(s.jobs)
        .filter((j) => j.id !== job)
        .sort((a, b) => b.created - a.created)
        .flatMap((j) => j.results);
      return [...new Set([...own.toReversed(), ...others])].slice(0, MOST);
    }),
  );
  return useMemo(() => ids, [ids]);
}

export function ResultsPanel() {
  const sweep = useSweeps((s) => s.last);
  return (
    <div className="results">
      {sweep && (
        <button type="button" className="button" onClick={() => openDialog({ kind: "grid", id: sweep.id })}>
          {t.sweep.label}: {sweep.axes.map((a) => a.name).join(" × ")}
        </button>
      )}
      <Latest />
    </div>
  );
}

/** The latest picture large, those before it small. */
export function Latest() {
  const [first, ...rest] = useLatest();
  if (first === undefined) return <p className="quiet hint">{t.panel.noResults}</p>;
  return (
    <>
      <Shown id={first} n={1} large />
      <div className="results-rest">
        {rest.map((id, i) => (
          <Shown key={id} id={id} n={i + 2} />
        ))}
      </div>
    </>
  );
}

/** A picture; `n` counts them for those who hear them. */
function Shown({ id, n, large = false }: { id: string; n: number; large?: boolean }) {
  const alt = t.panel.picture(n);
  return (
    <button
      type="button"
      className={large ? "shown large" : "shown"}
      aria-label={alt}
      onClick={() => openDialog({ kind: "picture", url: api.resultUrl(id), alt })}
    >
      <img src={large ? api.resultUrl(id) : api.thumbnailUrl(id)} alt="" loading="lazy" />
    </button>
  );
}
