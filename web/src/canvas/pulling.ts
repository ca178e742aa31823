/** Drawing links: what React Flow calls while one is pulled, and what then becomes of it. */

import type { Connection, Edge, FinalConnectionState, HandleType, OnConnectStartParams } from "@xyflow/react";
import type { End } from "../core/document";
import { canConnect, given } from "../core/fit";
import { fits, known, typeOfStep } from "../state/catalogue";
import { currentDocument, currentGraph, edit } from "../state/session";
import { inform, openDialog } from "../state/view";
import { t } from "../text";
import { cutFrom, linked } from "./linking";
import { graphPoint, useCanvas } from "./state";

function ends({ source, sourceHandle, target, targetHandle }: Connection | Edge): [End, End] {
  return [
    { node: source, port: sourceHandle ?? "" },
    { node: target, port: targetHandle ?? "" },
  ];
}

export function fitting(connection: Connection | Edge): boolean {
  const [source, target] = ends(connection);
  return canConnect(currentGraph(), source, target, currentDocument(), known(), fits()).ok;
}

export function join(connection: Connection): void {
  const [source, target] = ends(connection);
  edit(t.edits.connect, (graph) => linked(graph, { source, target }));
}

export function startPull(_: unknown, { nodeId, handleId, handleType }: OnConnectStartParams): void {
  if (!nodeId || !handleId || !handleType) return;
  const from = { node: nodeId, port: handleId };
  const type = typeAt(from, handleType);
  if (type !== undefined) useCanvas.setState({ pull: { from, side: handleType, type } });
}

function typeAt(from: End, side: HandleType): string | undefined {
  const graph = currentGraph();
  const step = graph.nodes[from.node];
  if (!step) return undefined;
  if (side === "source") return given(graph, from, currentDocument(), known());
  return typeOfStep(step, currentDocument()).inputs.find((i) => i.name === from.port)?.type ?? "?";
}

/** Let a link go: over what refuses it the reason is said, over empty canvas the list of what fits opens. */
export function endPull(event: MouseEvent | TouchEvent, state: FinalConnectionState): void {
  const { pull, refusal } = useCanvas.getState();
  useCanvas.setState({ pull: null, refusal: null });
  if (!pull || state.isValid || rejoining) return;
  if (refusal) {
    inform(refusal);
    return;
  }
  if (state.toHandle || !(event.target instanceof Element) || !event.target.closest(".react-flow__pane")) return;
  const at = "changedTouches" in event ? event.changedTouches[0] : event;
  if (!at) return;
  const screen = { x: at.clientX, y: at.clientY };
  openDialog({ kind: "palette", at: graphPoint(screen), screen: [screen.x, screen.y], pull });
}

/** Whether a link that is there already is held by its end. */
let rejoining = false;

export function startRejoining(): void {
  rejoining = true;
}

export function rejoin({ id }: Edge, next: Connection): void {
  const [source, target] = ends(next);
  edit(t.edits.connect, (graph) => linked(cutFrom(graph, id), { source, target }));
}

/** Where a link that was held is dropped on nothing, it is gone. */
export function endRejoining(_: unknown, { id }: Edge, _side: HandleType, state: FinalConnectionState): void {
  rejoining = false;
  useCanvas.setState({ pull: null, refusal: null });
  if (!state.isValid && !state.toHandle) edit(t.edits.disconnect, (graph) => cutFrom(graph, id));
}
