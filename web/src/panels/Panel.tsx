import { Suspense } from "react";
import { type Panel as Name, useView } from "../state/view";
import { t } from "../text";
import { Icon, type IconName } from "../ui/Icon";
import { IconButton } from "../ui/IconButton";
import { later } from "../ui/later";
import { ResultsPanel } from "./ResultsPanel";
import "./panel.css";

const NodePanel = later(() => import("./NodePanel"));
const QueuePanel = later(() => import("./QueuePanel"));
const ProblemsPanel = later(() => import("./ProblemsPanel"));

const PANELS: readonly (readonly [Name, IconName])[] = [
  ["results", "image"],
  ["node", "info"],
  ["queue", "clock"],
  ["problems", "warning"],
];

/** What is beside the graph: one thing at a time. */
export function Panel() {
  const open = useView((s) => s.panel);
  if (open === null) return null;
  return (
    <aside className="panel" aria-label={t.panel.label}>
      <div className="panel-tabs">
        {PANELS.map(([name, icon]) => (
          <button
            key={name}
            type="button"
            aria-pressed={open === name}
            title={t.actions[name]}
            onClick={() => useView.setState({ panel: name })}
          >
            <Icon name={icon} size={14} />
            <span>{t.actions[name]}</span>
          </button>
        ))}
        <IconButton icon="close" size={14} label={t.panel.close} onClick={() => useView.setState({ panel: null })} />
      </div>
      <div className="panel-body">
        <Suspense>
          {open === "results" && <ResultsPanel />}
          {open === "node" && <NodePanel />}
          {open === "queue" && <QueuePanel />}
          {open === "problems" && <ProblemsPanel />}
        </Suspense>
      </div>
    </aside>
  );
}
