import { Handle, Position } from "@xyflow/react";
import { memo } from "react";
import { hueOf } from "../ui/colours";
import { PORT } from "./flow";

interface Props {
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
 * Which ports a link can go to is the style sheet's matter here, and said by `fitting`: left to itself, React Flow
 * gives every port another class when a link begins and when it ends. */
export const Port = memo(function Port({ name, type, side, label, top, linked, required }: Props) {
  const shape = type.startsWith("list[") ? "list" : "";
  const hollow = side === "target" && !required && !linked ? "hollow" : "";
  return (
    <Handle
      id={name}
      type={side}
      position={side === "target" ? Position.Left : Position.Right}
      role="img"
      aria-label={label}
      title={label}
      data-type={type}
      isConnectable={false}
      className={`port connectable ${shape} ${hollow}`}
      style={{ top, width: PORT, height: PORT, "--hue": hueOf(type) } as React.CSSProperties}
    />
  );
});
