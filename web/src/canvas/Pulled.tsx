import type { ConnectionLineComponentProps } from "@xyflow/react";
import { useEffect } from "react";
import { curve } from "../core/curve";
import { canConnect, fitOf } from "../core/fit";
import { fits, known } from "../state/catalogue";
import { currentDocument, currentGraph } from "../state/session";
import { announce } from "../state/view";
import { t } from "../text";
import { hueOf } from "../ui/colours";
import { useCanvas } from "./state";

/** The link that is being drawn. Over a port that does not take it, it says why, before it is let go. */
export function Pulled({
  fromX,
  fromY,
  toX,
  toY,
  fromHandle,
  toHandle,
  connectionStatus,
}: ConnectionLineComponentProps) {
  const pull = useCanvas((s) => s.pull);
  const backwards = fromHandle.type === "target";
  const over = toHandle ? `${toHandle.nodeId}.${toHandle.id}.${toHandle.type}` : "";
  useEffect(() => {
    if (over === "" || !toHandle?.id || !fromHandle.id) {
      useCanvas.setState({ refusal: null });
      return;
    }
    const a = { node: fromHandle.nodeId, port: fromHandle.id };
    const b = { node: toHandle.nodeId, port: toHandle.id };
    const reason =
      fromHandle.type === toHandle.type
        ? ({ code: "direction" } as const)
        : refused(backwards ? b : a, backwards ? a : b);
    const refusal = reason ? t.refuse(reason) : null;
    useCanvas.setState({ refusal });
    if (refusal) announce(refusal);
  }, [over, toHandle, fromHandle, backwards]);
  const path = backwards ? curve([toX, toY], [], [fromX, fromY]) : curve([fromX, fromY], [], [toX, toY]);
  return (
    <path
      d={path}
      className={`link pulled ${connectionStatus === "invalid" ? "refused" : ""}`}
      style={{ "--hue": hueOf(pull?.type ?? "") } as React.CSSProperties}
    />
  );
}

function refused(source: { node: string; port: string }, target: { node: string; port: string }) {
  const verdict = canConnect(currentGraph(), source, target, currentDocument(), known(), fits());
  return verdict.ok ? null : verdict.reason;
}

const GLOW = "oklch(var(--link-light) var(--link-chroma) var(--hue))";

/** While a link is drawn, ports that take it glow and the others lose their colour: by one rule for all of them, since so
 * many ports would each take their time; and not by opacity, of which each would be a layer. */
export function PortsThatFit() {
  const pull = useCanvas((s) => s.pull);
  if (!pull) return null;
  const source = pull.side === "source";
  const types = new Set(["?"]);
  for (const type of known().values()) for (const port of source ? type.inputs : type.outputs) types.add(port.type);
  const fit = [...types].filter((t) => (source ? fitOf(fits(), pull.type, t) : fitOf(fits(), t, pull.type)));
  const node = `.react-flow__node:not([data-id="${CSS.escape(pull.from.node)}"])`;
  const ports = `${node} .port.${source ? "target" : "source"}:is(${fit.map((t) => `[data-type=${JSON.stringify(t)}]`)})`;
  return (
    <style>{`
      .port.react-flow__handle:not(${ports}) { --link-chroma: 0; --link-light: var(--faded); }
      ${ports} { box-shadow: 0 0 0 2px var(--node), 0 0 0 4px ${GLOW}, 0 0 12px 4px ${GLOW}; }
    `}</style>
  );
}

/** The reason, beside the pointer. */
export function Refusal() {
  const refusal = useCanvas((s) => s.refusal);
  if (refusal === null) return null;
  return <div className="refusal">{refusal}</div>;
}
