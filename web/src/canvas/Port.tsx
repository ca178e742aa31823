import { useStoreApi } from "@xyflow/react";
import { memo } from "react";
import { hueOf } from "../ui/colours";
import { PORT } from "./flow";
import { grab, tap } from "./pulling";

interface Props {
  readonly node: string;
  readonly name: string;
  readonly type: string;
  readonly side: "source" | "target";
  readonly label: string;
  readonly top: number;
  readonly linked: boolean;
  readonly required: boolean;
}

/** The round end of a port. A list is square, an optional input that nothing feeds is hollow.
 *
 * Which ports a link can go to is the style sheet's matter, and said by `fitting`. React Flow finds a port by the
 * attributes and classes that it gives its own `Handle`. */
export const Port = memo(function Port({ node, name, type, side, label, top, linked, required }: Props) {
  const store = useStoreApi();
  const shape = type.startsWith("list[") ? "list" : "";
  const hollow = side === "target" && !required && !linked ? "hollow" : "";
  const place = side === "target" ? "left" : "right";
  const end = { node, port: name };
  const onGrab = (event: React.MouseEvent | React.TouchEvent) =>
    grab(event.nativeEvent, event.currentTarget as HTMLElement, end, side, store);
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: by keyboard, C on the node lists what its ports can be linked to
    <div
      role="img"
      aria-label={label}
      title={label}
      data-type={type}
      data-nodeid={node}
      data-handleid={name}
      data-handlepos={place}
      data-id={`${store.getState().rfId}-${node}-${name}-${side}`}
      className={`port react-flow__handle react-flow__handle-${place} ${side} connectable connectableend nodrag nopan nokey ${shape} ${hollow}`}
      style={{ top, width: PORT, height: PORT, "--hue": hueOf(type) } as React.CSSProperties}
      onMouseDown={onGrab}
      onTouchStart={onGrab}
      onClick={() => tap(end, side)}
    />
  );
});
