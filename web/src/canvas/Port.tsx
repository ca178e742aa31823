import { Handle, Position } from "@xyflow/react";
import { memo } from "react";
import { fitOf } from "../core/fit";
import { fits } from "../state/catalogue";
import { hueOf } from "../ui/colours";
import { PORT } from "./flow";
import { useCanvas } from "./state";

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

/** The round end of a port. A list is square, an optional input that nothing feeds is hollow. */
export const Port = memo(function Port({ node, name, type, side, label, top, linked, required }: Props) {
  // while a link is drawn, ports that do not take it fade
  const answer = useCanvas((s) => {
    if (s.pull === null) return "";
    if (s.pull.side === side || s.pull.from.node === node) return "unfit";
    const fit = side === "target" ? fitOf(fits(), s.pull.type, type) : fitOf(fits(), type, s.pull.type);
    return fit ? "fit" : "unfit";
  });
  const shape = type.startsWith("list[") ? "list" : "";
  const hollow = side === "target" && !required && !linked ? "hollow" : "";
  return (
    <Handle
      id={name}
      type={side}
      position={side === "target" ? Position.Left : Position.Right}
      role="img"
      aria-label={label}
      title={`${label}`}
      className={`port ${shape} ${hollow} ${answer}`}
      style={{ top, width: PORT, height: PORT, "--hue": hueOf(type) } as React.CSSProperties}
    />
  );
});
