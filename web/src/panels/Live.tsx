import { ended } from "../core/runs";
import { useRuns } from "../state/runs";
import { t } from "../text";
import "./live.css";

/** How far a run is, and the picture as it forms. */
export function Live({ job }: { job: string | null }) {
  const running = useRuns((s) => {
    const shown = job === null ? undefined : s.jobs[job];
    if (!shown || ended(shown)) return undefined;
    return Object.values(shown.nodes).find((n) => n.state === "running" && n.total);
  });
  if (!running) return null;
  const { step = 0, total = 1, preview, what } = running;
  return (
    <div className="live">
      {preview && <img src={preview} alt={t.node.live(what ?? "")} />}
      <progress max={total} value={step} aria-label={t.states.running} />
      <span className="quiet">{t.run.step(step, total)}</span>
    </div>
  );
}
