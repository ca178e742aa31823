import { BaseEdge, type EdgeProps } from "@xyflow/react";
import { memo } from "react";
import { useShallow } from "zustand/react/shallow";
import { curve } from "../core/curve";
import type { Point } from "../core/document";
import { hueOf } from "../ui/colours";
import { pointNode, RADIUS } from "./flow";
import { useCanvas } from "./state";

const NONE: readonly Point[] = [];

export const LinkView = memo(function LinkView({ id, sourceX, sourceY, targetX, targetY, data, selected }: EdgeProps) {
  const splicing = useCanvas((s) => s.splice === id || s.cutting?.includes(id));
  const moving = useCanvas((s) => s.moving.includes(id));
  const points = (data?.points as readonly Point[] | undefined) ?? NONE;
  const dragged = useCanvas(useShallow((s) => points.map((_, i) => s.drag?.[pointNode(id, i)])));
  const over = points.map((point, i): Point => {
    const at = dragged[i];
    return at ? [at[0] + RADIUS, at[1] + RADIUS] : point;
  });
  return (
    <BaseEdge
      id={id}
      path={curve([sourceX, sourceY], over, [targetX, targetY])}
      interactionWidth={16}
      className={`link ${selected ? "selected" : ""} ${splicing ? "splicing" : ""} ${moving ? "moving" : ""}`}
      style={{ "--hue": hueOf(String(data?.type ?? "")) } as React.CSSProperties}
    />
  );
});
