import type { NodeProps } from "@xyflow/react";
import { memo } from "react";
import { hueOf } from "../ui/colours";

/** A point that a link is led over. */
export const PointView = memo(function PointView({ data, selected }: NodeProps) {
  return (
    <div
      className={`point ${selected ? "selected" : ""}`}
      style={{ "--hue": hueOf(String(data.type)) } as React.CSSProperties}
    />
  );
});

/** Where a node stays of which a copy is dragged, or was in the version that this one is compared with. */
export function GhostView({ data }: NodeProps) {
  return <div className={data.removed ? "ghost removed" : "ghost"}>{data.removed ? String(data.removed) : null}</div>;
}
