/** Drawing links: what is done while one is pulled, and what then becomes of it. */

import type {
  Connection,
  Edge,
  FinalConnectionState,
  HandleType,
  OnConnectStartParams,
  useStoreApi,
} from "@xyflow/react";
import { XYHandle } from "@xyflow/system";
import { type End, type Wire, wireId, wiresFrom } from "../core/document";
import { moveLinks } from "../core/edits";
import { bestJoin, canConnect, given, type Refusal } from "../core/fit";
import { fits, known, typeOfStep } from "../state/catalogue";
import { currentDocument, currentGraph, edit } from "../state/session";
import { announce, inform, openDialog } from "../state/view";
import { t } from "../text";
import { cutFrom, inputAt, linked } from "./linking";
import { graphPoint, useCanvas } from "./state";

function ends({ source, sourceHandle, target, targetHandle }: Connection | Edge): [End, End] {
  return [
    { node: source, port: sourceHandle ?? "" },
    { node: target, port: targetHandle ?? "" },
  ];
}

/** The links of an output that are held all at once: each keeps its target. */
let held: readonly Wire[] = [];
/** Whether they stay where they are, too. */
let copying = false;

/** Begin to pull a link from a port; with Shift, from an output that has links, all of them; with Alt too, others like those
 * that go to inputs which take several.
 *
 * This is what React Flow's own `Handle` does, which also draws every port again whenever a link begins or ends. */
export function grab(
  event: MouseEvent | TouchEvent,
  port: HTMLElement,
  from: End,
  side: HandleType,
  store: ReturnType<typeof useStoreApi>,
): void {
  if ("button" in event && event.button !== 0) return;
  const flow = store.getState();
  const all = event.shiftKey && side === "source" ? wiresFrom(currentGraph(), from) : [];
  copying = event.altKey;
  held = copying ? all.filter((wire) => inputAt(currentGraph(), wire.target)?.list) : all;
  if (all.length > 0 && held.length === 0) {
    inform(t.canvas.oneLinkEach);
    return;
  }
  const [first] = held;
  const fixed = first?.target ?? from;
  const type = first ? "target" : side;
  XYHandle.onPointerDown(event, {
    handleDomNode: port,
    autoPanOnConnect: flow.autoPanOnConnect,
    autoPanSpeed: flow.autoPanSpeed,
    connectionMode: flow.connectionMode,
    connectionRadius: flow.connectionRadius,
    domNode: flow.domNode,
    nodeLookup: flow.nodeLookup,
    lib: flow.lib,
    flowId: flow.rfId,
    nodeId: fixed.node,
    handleId: fixed.port,
    isTarget: type === "target",
    ...(first && { edgeUpdaterType: type }),
    panBy: flow.panBy,
    updateConnection: flow.updateConnection,
    cancelConnection: flow.cancelConnection,
    onConnectStart: startPull,
    onConnect: join,
    onConnectEnd: endPull,
    isValidConnection: fitting,
    getTransform: () => store.getState().transform,
    getFromHandle: () => store.getState().connection.fromHandle,
    dragThreshold: flow.connectionDragThreshold,
  });
}

/** Why a link between two ports may not be; null where it may. Of links held all at once, each must fit. */
export function reasonAgainst(source: End, target: End): Refusal | null {
  const targets = held.length > 0 ? held.map((wire) => wire.target) : [target];
  for (const each of targets) {
    const verdict = canConnect(currentGraph(), source, each, currentDocument(), known(), fits());
    if (!verdict.ok) return verdict.reason;
  }
  return null;
}

export function fitting(connection: Connection | Edge): boolean {
  return reasonAgainst(...ends(connection)) === null;
}

function join(connection: Connection): void {
  const [source, target] = ends(connection);
  make({ source, target });
}

function make({ source, target }: Wire): void {
  const [first] = held;
  if (first && copying)
    edit(t.edits.copyLinks, (graph) => held.reduce((g, wire) => linked(g, { source, target: wire.target }), graph));
  else if (first) edit(t.edits.moveLinks, (graph) => moveLinks(graph, first.source, source));
  else edit(t.edits.connect, (graph) => linked(graph, { source, target }));
}

export function startPull(_: unknown, { nodeId, handleId, handleType }: OnConnectStartParams): void {
  if (!nodeId || !handleId || !handleType) return;
  const from = { node: nodeId, port: handleId };
  const type = typeAt(from, handleType);
  if (type === undefined) return;
  useCanvas.setState({ pull: { from, side: handleType, type }, tapped: false, moving: held.map(wireId) });
}

function typeAt(from: End, side: HandleType): string | undefined {
  const graph = currentGraph();
  const step = graph.nodes[from.node];
  if (!step) return undefined;
  if (side === "source") return given(graph, from, currentDocument(), known());
  return typeOfStep(step, currentDocument()).inputs.find((i) => i.name === from.port)?.type ?? "?";
}

/** The link that would be made if what is pulled were let go over the body of a node. */
export function ontoBody(node: string): Wire | undefined {
  const { pull } = useCanvas.getState();
  const wire = pull && bestJoin(currentGraph(), pull.from, pull.side, node, currentDocument(), known(), fits());
  return wire && reasonAgainst(wire.source, wire.target) === null ? wire : undefined;
}

/** The node of the graph whose body an element is part of. */
export function bodyOf(element: Element | null): string | undefined {
  const id = element?.closest<HTMLElement>(".react-flow__node")?.dataset.id;
  return id !== undefined && id in currentGraph().nodes ? id : undefined;
}

/** What a link is let go over, where it is no port: the body of a node, and the link that this makes. */
function dropped(event: MouseEvent | TouchEvent, state: FinalConnectionState) {
  const at = "changedTouches" in event ? event.changedTouches[0] : event;
  const under = at ? document.elementFromPoint(at.clientX, at.clientY) : null;
  const body = state.isValid || state.toHandle ? undefined : bodyOf(under);
  return { at, under, body, wire: body === undefined ? undefined : ontoBody(body) };
}

/** Let a link go: over what refuses it the reason is said, over the body of a node its best port takes it, over empty
 * canvas the list of what fits opens. */
function endPull(event: MouseEvent | TouchEvent, state: FinalConnectionState): void {
  const { pull, refusal } = useCanvas.getState();
  const { at, under, body, wire } = dropped(event, state);
  const moved = held.length > 0;
  if (wire) make(wire);
  dropPull();
  if (!pull || !at || wire || state.isValid) return;
  if (refusal) {
    inform(refusal);
    return;
  }
  if (body !== undefined) {
    if (body !== pull.from.node) inform(t.canvas.noPortFits(body, pull.type));
    return;
  }
  if (moved || state.toHandle || !under?.closest(".react-flow__pane")) return;
  const screen = { x: at.clientX, y: at.clientY };
  openDialog({ kind: "palette", at: graphPoint(screen), screen: [screen.x, screen.y], pull });
}

/** Let go of what is pulled, or of the port that was tapped. */
export function dropPull(): void {
  held = [];
  const { pull, refusal, moving } = useCanvas.getState();
  if (pull || refusal !== null || moving.length > 0) {
    useCanvas.setState({ pull: null, refusal: null, tapped: false, moving: [] });
  }
}

/** Press one port and then another: the way to link them without dragging. */
export function tap(end: End, side: HandleType): void {
  const { pull, tapped } = useCanvas.getState();
  held = [];
  if (!pull || !tapped || pull.side === side) {
    const type = typeAt(end, side);
    const again = pull?.from.node === end.node && pull.from.port === end.port;
    dropPull();
    if (type === undefined || again) return;
    useCanvas.setState({ pull: { from: end, side, type }, tapped: true });
    announce(t.canvas.tapped);
    return;
  }
  const [source, target] = side === "target" ? [pull.from, end] : [end, pull.from];
  const reason = reasonAgainst(source, target);
  dropPull();
  if (reason) inform(t.refuse(reason));
  else make({ source, target });
}

/** A link that is there already is taken by its end. */
export function startRejoining(): void {
  held = [];
}

export function rejoin({ id }: Edge, next: Connection): void {
  const [source, target] = ends(next);
  edit(t.edits.connect, (graph) => linked(cutFrom(graph, id), { source, target }));
}

/** Where a link that was held is dropped on nothing, it is gone. */
export function endRejoining(
  event: MouseEvent | TouchEvent,
  { id }: Edge,
  _side: HandleType,
  state: FinalConnectionState,
): void {
  const { pull, refusal } = useCanvas.getState();
  const { body, wire } = dropped(event, state);
  dropPull();
  if (state.isValid) return;
  if (refusal) inform(refusal);
  else if (wire) edit(t.edits.connect, (graph) => linked(cutFrom(graph, id), wire));
  else if (body !== undefined && pull) inform(t.canvas.noPortFits(body, pull.type));
  else if (!state.toHandle) edit(t.edits.disconnect, (graph) => cutFrom(graph, id));
}
