import { memo } from "react";
import type { Planned } from "../api/client";
import type { Mode } from "../core/document";
import { useRuns } from "../state/runs";
import { useTab } from "../state/session";
import { said, t } from "../text";
import { Icon } from "../ui/Icon";

interface Props {
  /** The node as a run names it. */
  readonly id: string;
  readonly planned: Planned["state"] | undefined;
  readonly mode: Mode | undefined;
}

const ROUND = 2 * Math.PI * 6;

/** What a node is doing: a ring while it runs, then how long it took, or that it was kept. */
export const NodeStatus = memo(function NodeStatus({ id, planned, mode }: Props) {
  const job = useTab((tab) => tab.job);
  const run = useRuns((s) => (job === null ? undefined : s.jobs[job]?.nodes[id]));
  if (run?.state === "running") {
    const { step = 0, total = 0, since } = run;
    const part = total > 0 ? step / total : 0;
    const left = since !== undefined && part > 0.02 && part < 1 ? ((Date.now() - since) / 1000) * (1 / part - 1) : null;
    return (
      <span className="node-state" title={run.what}>
        {total > 0 && (
          <span>
            {t.run.step(step, total)}
            {left !== null && left >= 1 && `, ${t.run.left(left)}`}
          </span>
        )}
        <svg
          className={total > 0 ? "ring" : "ring turning"}
          width="16"
          height="16"
          viewBox="0 0 16 16"
          aria-hidden="true"
        >
          <circle cx="8" cy="8" r="6" className="ring-back" />
          <circle
            cx="8"
            cy="8"
            r="6"
            className="ring-part"
            strokeDasharray={ROUND}
            strokeDashoffset={ROUND * (1 - (total > 0 ? part : 0.25))}
          />
        </svg>
      </span>
    );
  }
  if (run?.state === "failed") {
    const { text } = said(run.error ?? "", "failed");
    return (
      <span className="node-state bad" title={text}>
        <Icon name="warning" size={14} />
        <span className="unseen">{text}</span>
      </span>
    );
  }
  if (mode !== undefined) return <span className="node-state">{t.modes[mode]}</span>;
  if (planned === "still") return <span className="node-state">{t.states.still}</span>;
  const kept = planned === "memory" || planned === "disk";
  if (run?.seconds !== undefined && run.state === "done") {
    return <span className="node-state">{t.run.seconds(run.seconds)}</span>;
  }
  if (run?.state === "cached" || kept) {
    return <span className="node-state">{t.states.cached}</span>;
  }
  return null;
});
