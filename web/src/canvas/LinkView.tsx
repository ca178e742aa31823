import { BaseEdge, type EdgeProps } from "@xyflow/react";
import { memo } from "react";
import { hueOf } from "../ui/colours";
import { curve } from "./curve";
import { useCanvas } from "./state";

export const LinkView = memo(function LinkView({ id, sourceX, sourceY, targetX, targetY, data, selected }: EdgeProps) {
  const splicing = useCanvas((s) => s.splice === id);
  return (
    <BaseEdge
      id={id}
      path={curve(sourceX, sourceY, targetX, targetY)}
      interactionWidth={16}
      className={`link ${selected ? "selected" : ""} ${splicing ? "splicing" : ""}`}
      style={{ "--hue": hueOf(String(data?.type ?? "")) } as React.CSSProperties}
    />
  );
});
