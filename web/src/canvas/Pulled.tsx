import type { ConnectionLineComponentProps } from "@xyflow/react";
import { useEffect, useState } from "react";
import { curve } from "../core/curve";
import { type Point, wireOf } from "../core/document";
import { fitOf } from "../core/fit";
import { portTop } from "../core/sizes";
import { fits, known } from "../state/catalogue";
import { shapeOfStep } from "../state/geometry";
import { currentDocument, currentGraph } from "../state/session";
import { announce, type Pull } from "../state/view";
import { t } from "../text";
import { hueOf } from "../ui/colours";
import { isLive } from "./live";
import { ontoBody, reasonAgainst } from "./pulling";
import { pointer, useCanvas } from "./state";

/** The link that is being drawn. Over a port that does not take it, it says why, before it is let go; over the body of a
 * node it goes to the port that would take it. */
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
  const moving = useCanvas((s) => s.moving);
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
        : reasonAgainst(backwards ? b : a, backwards ? a : b);
    const refusal = reason ? t.refuse(reason) : null;
    useCanvas.setState({ refusal });
    if (refusal) announce(refusal);
  }, [over, toHandle, fromHandle, backwards]);
  const body = over === "" ? pointer.over : undefined;
  const best = body === undefined ? undefined : ontoBody(body);
  const port = best && (backwards ? best.source : best.target);
  const taken = port && placeOf(port.node, port.port, backwards ? "output" : "input");
  const [x, y] = taken ?? [toX, toY];
  const starts = moving.length > 1 ? moving.map((id) => wireOf(id).target) : [];
  const others = starts.slice(1).flatMap(({ node, port }) => [placeOf(node, port, "input") ?? []].filter(isPoint));
  const style = { "--hue": hueOf(pull?.type ?? "") } as React.CSSProperties;
  const path = backwards ? curve([x, y], [], [fromX, fromY]) : curve([fromX, fromY], [], [x, y]);
  return (
    <g style={style}>
      {others.map((to) => (
        <path key={to.join()} d={curve([x, y], [], to)} className="link pulled" />
      ))}
      <path d={path} className={`link pulled ${connectionStatus === "invalid" ? "refused" : ""}`} />
      {(taken || connectionStatus === "valid") && <circle className="snapped" cx={x} cy={y} r={9} />}
    </g>
  );
}

const isPoint = (point: Point | readonly never[]): point is Point => point.length === 2;

/** Where a port of a node is on the graph. */
function placeOf(id: string, port: string, side: "input" | "output"): Point | undefined {
  const { nodes, layout } = currentGraph();
  const step = nodes[id];
  if (!step) return undefined;
  const shape = shapeOfStep(step, layout?.looks?.[id], currentDocument(), isLive(id));
  const row = shape.rows.find((r) => r[side]?.name === port);
  const [x, y] = layout?.nodes?.[id] ?? [0, 0];
  return row && [x + (side === "output" ? shape.width : 0), y + portTop(row)];
}

/** How long ports glow after a link was let go, in milliseconds. */
const AFTERGLOW = 60;
const GLOW = "oklch(var(--link-light) var(--link-chroma) var(--hue))";

/** While a link is drawn, ports that take it glow and the others lose their colour: by one rule for all of them, since so
 * many ports would each take their time; and not by opacity, of which each would be a layer. When the link is let go,
 * it is drawn first, and what glowed goes out after that. */
export function PortsThatFit() {
  const pull = useCanvas((s) => s.pull);
  const tapped = useCanvas((s) => s.tapped);
  const [shown, setShown] = useState<Pull | null>(null);
  useEffect(() => {
    if (pull) {
      setShown(pull);
      return;
    }
    const out = setTimeout(() => setShown(null), AFTERGLOW);
    return () => clearTimeout(out);
  }, [pull]);
  const lit = pull ?? shown;
  if (!lit) return null;
  const source = lit.side === "source";
  const types = new Set(["?"]);
  for (const type of known().values()) for (const port of source ? type.inputs : type.outputs) types.add(port.type);
  const fit = [...types].filter((t) => (source ? fitOf(fits(), lit.type, t) : fitOf(fits(), t, lit.type)));
  const own = `.react-flow__node[data-id="${CSS.escape(lit.from.node)}"]`;
  const others = `.react-flow__node:not([data-id="${CSS.escape(lit.from.node)}"])`;
  const ports = `${others} .port.${source ? "target" : "source"}:is(${fit.map((t) => `[data-type=${JSON.stringify(t)}]`)})`;
  const from = `${own} .port.${lit.side}[data-handleid="${CSS.escape(lit.from.port)}"]`;
  return (
    <style>{`
      .port.react-flow__handle:not(${ports}, ${from}) { --link-chroma: 0; --link-light: var(--faded); }
      ${ports} { box-shadow: 0 0 0 2px var(--node), 0 0 0 4px ${GLOW}, 0 0 12px 4px ${GLOW}; }
      ${tapped ? `${from} { box-shadow: 0 0 0 2px var(--node), 0 0 0 5px var(--accent); }` : ""}
    `}</style>
  );
}

/** The reason, beside the pointer. */
export function Refusal() {
  const refusal = useCanvas((s) => s.refusal);
  if (refusal === null) return null;
  return <div className="refusal">{refusal}</div>;
}
