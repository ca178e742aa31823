import { ViewportPortal } from "@xyflow/react";
import { useCanvas } from "./state";

/** The lines along which a dragged node is held. */
export function Guides() {
  const guides = useCanvas((s) => s.guides);
  if (guides.length === 0) return null;
  return (
    <ViewportPortal>
      {guides.map(({ axis, at, from, to }) => (
        <div
          key={axis}
          className={axis === 0 ? "guide upright" : "guide"}
          style={axis === 0 ? { left: at, top: from, height: to - from } : { left: from, top: at, width: to - from }}
        />
      ))}
    </ViewportPortal>
  );
}
