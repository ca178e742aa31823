import { useStore } from "@xyflow/react";
import { graphOf, useTab } from "../state/session";
import { t } from "../text";
import { IconButton } from "../ui/IconButton";
import { showAll, useCanvas } from "./state";

export function Controls() {
  const zoom = useStore((s) => Math.round(s.transform[2] * 100));
  const count = useTab((tab) => Object.keys(graphOf(tab).nodes).length);
  const flow = useCanvas((s) => s.flow);
  return (
    <div className="controls">
      <span className="quiet">{t.canvas.count(count)}</span>
      <IconButton icon="minus" size={14} label={t.canvas.zoomOut} onClick={() => void flow?.zoomOut()} />
      <span className="zoom">{zoom} %</span>
      <IconButton icon="plus" size={14} label={t.canvas.zoomIn} onClick={() => void flow?.zoomIn()} />
      <IconButton icon="fit" size={14} label={t.canvas.fit} onClick={() => showAll()} />
    </div>
  );
}
