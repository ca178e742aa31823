import "@xyflow/react/dist/base.css";
import {
  Background,
  BackgroundVariant,
  type Edge,
  type EdgeChange,
  type Node,
  type NodeChange,
  ReactFlow,
  type ReactFlowInstance,
  ReactFlowProvider,
  SelectionMode,
  useStore,
  useStoreApi,
} from "@xyflow/react";
import { lazy, Suspense, useCallback, useEffect, useMemo, useRef, useState } from "react";
import { reach, rename } from "../commands/going";
import { graphAt, type Point, wireOf } from "../core/document";
import { splice } from "../core/edits";
import { fits, known, useCatalogue } from "../state/catalogue";
import { differenceOf, useAgainst } from "../state/compare";
import { useRuns } from "../state/runs";
import { current, edit, graphOf, leave, select, useTab } from "../state/session";
import { announce, openDialog, useView } from "../state/view";
import { t } from "../text";
import { later, whenAsked } from "../ui/later";
import { Controls } from "./Controls";
import { Empty } from "./Empty";
import { Far } from "./Far";
import { hit, type Scene } from "./far";
import { isText } from "./fieldMenu";
import { linkDrawer, nodeDrawer, removedNodes } from "./flow";
import { Guides } from "./Guides";
import { LinkView } from "./LinkView";
import { leadOver } from "./leading";
import { isLive } from "./live";
import { dropped, held as snapped, withGrouped } from "./moving";
import { NodeView } from "./NodeView";
import { GroupView, NoteView } from "./NoteView";
import { nearFinder, useArea } from "./nearby";
import { GhostView, PointView } from "./PointView";
import { PortsThatFit, Pulled, Refusal } from "./Pulled";
import { bodyOf, dropPull, endRejoining, fitting, rejoin, startPull, startRejoining } from "./pulling";
import { linkUnder } from "./splicing";
import { areMany, farZoom, firstView, graphPoint, pointer, showAll, showNodes, useCanvas } from "./state";
import { useMovingWheel } from "./turning";

const Compared = lazy(() => import("./Compared"));
const Knife = later(() => import("./Knife"));
const copies = whenAsked(() => import("../commands/copying"));
const Minimap = later(() => import("./Minimap"));
const NODES = { step: NodeView, note: NoteView, group: GroupView, point: PointView, ghost: GhostView };
const LINKS = { link: LinkView };
const NO_NODES: Node[] = [];
const NO_LINKS: Edge[] = [];
const NONE: ReadonlySet<string> = new Set();
/** Links snap to a port this near to the pointer. */
const SNAP = 26;

// React Flow takes what is another object for another setting, and tells everything on the canvas of it
const MORE = ["Shift", "Control", "Meta"];
const PANNING = [0, 1];
const NO_DESCRIPTIONS = { "node.a11yDescription.default": "", "edge.a11yDescription.default": "" };

function leadHere({ clientX: x, clientY: y }: React.MouseEvent, { id }: Edge): void {
  leadOver(id, graphPoint({ x, y }));
}

/** Whoever presses something else than a second port has thought better of it. Of several that are selected, what is
 * pressed and not dragged is meant alone. */
function onPressed({ target, shiftKey, ctrlKey, metaKey }: React.MouseEvent, { id }: Node): void {
  if (target instanceof Element && !target.closest(".port")) dropPull();
  const { selection } = current();
  if (!shiftKey && !ctrlKey && !metaKey && selection.length > 1 && selection.includes(id)) select([id]);
}

export function Canvas() {
  return (
    <ReactFlowProvider>
      <Flow />
    </ReactFlowProvider>
  );
}

/** Whether the graph is drawn from afar. The two bounds differ, so that it does not flicker between the two. */
function useFar(begun: boolean, first: number): boolean {
  const far = useRef(false);
  const leaving = useCanvas((s) => s.leaving);
  const out = useStore((s) => {
    far.current = s.transform[2] < farZoom() + (far.current ? 0.02 : -0.02);
    return far.current;
  });
  return (begun ? out : first < farZoom()) || leaving;
}

/** How long the zoom must not change to be at rest, in milliseconds. */
const REST = 200;

/** Whether the zoom of a large graph is changing: until it rests, making nodes only to leave them again is spared. */
function useZooming(): boolean {
  const store = useStoreApi();
  const [zooming, setZooming] = useState(false);
  useEffect(() => {
    let last = 0;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const stop = store.subscribe((now, before) => {
      if (now.transform[2] === before.transform[2] || !areMany()) return;
      const time = performance.now();
      // one step of a key needs none of this, and what is being typed stays where it is
      if (time - last < REST && !document.activeElement?.closest(".row")) setZooming(true);
      last = time;
      clearTimeout(timer);
      timer = setTimeout(() => setZooming(false), REST);
    });
    return () => {
      clearTimeout(timer);
      stop();
    };
  }, [store]);
  return zooming;
}

/** A double click on the head of a node: its title is typed, beside it all that feeds it and that it feeds is selected. */
function onHead(target: Element): void {
  const id = target.closest<HTMLElement>(".react-flow__node")?.dataset.id;
  if (id === undefined || !target.closest(".node-head") || target.closest("button")) return;
  select([id]);
  if (target.matches(".node-title")) rename();
  else reach("up", "down");
}

function Flow() {
  const tab = useTab((now) => now.id);
  const path = useTab((now) => now.path);
  const graph = useTab(graphOf);
  const document = useTab((now) => now.history.present);
  const selection = useTab((now) => now.selection);
  const drag = useCanvas((s) => s.drag);
  const copying = useCanvas((s) => s.copying);
  const types = useCatalogue((s) => s.types);
  const live = useRuns((s) => liveKey(s.jobs, tab));
  const minimap = useView((s) => s.minimap);
  const pane = useRef<HTMLDivElement>(null);
  const movesByWheel = useMovingWheel(pane);
  const start = useMemo(firstView, []);
  const [begun, setBegun] = useState(false);
  const zooming = useZooming();
  const far = useFar(begun, start.zoom) || zooming;
  const scene = useRef<Scene | null>(null);
  const drawNodes = useMemo(nodeDrawer, []);
  const drawLinks = useMemo(linkDrawer, []);
  const findNear = useMemo(nearFinder, []);
  const chosen = useMemo(() => new Set(selection), [selection]);
  const area = useArea();
  const pulled = useCanvas((s) => s.pull?.from.node ?? "");
  const held = [...selection, ...Object.keys(drag ?? {}), pulled].join(" ");
  const near = useMemo(() => {
    if (far) return NONE;
    const wanted = held.split(" ").filter((id) => id in graph.nodes);
    return findNear({ graph, document, area, held: wanted, types, live });
  }, [far, findNear, graph, document, area, held, types, live]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: sizes also depend on the catalogue and on who shows a picture
  const nodes = useMemo(
    () => (far ? NO_NODES : drawNodes({ graph, document, near, selection: chosen, drag, copying, live: isLive })),
    [far, drawNodes, graph, document, near, chosen, drag, copying, types, live],
  );
  const against = useAgainst((s) => s.against);
  const gone = useTab((now) => differenceOf(now, against)?.removed);
  // biome-ignore lint/correctness/useExhaustiveDependencies: sizes also depend on the catalogue
  const removed = useMemo(
    () => (against && gone?.length ? removedNodes(graphAt(against.document, path), against.document, gone) : NO_NODES),
    [against, gone, path, types],
  );
  const shownNodes = useMemo(() => (removed.length > 0 ? [...nodes, ...removed] : nodes), [nodes, removed]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: colours also depend on the catalogue
  const links = useMemo(
    () => (far ? NO_LINKS : drawLinks(graph, document, near, chosen)),
    [far, drawLinks, graph, document, near, chosen, types],
  );

  // biome-ignore lint/correctness/useExhaustiveDependencies: another graph is shown whole
  useEffect(() => {
    showAll(0);
  }, [tab, path.join("/"), types]);

  const onScene = useCallback((made: Scene) => {
    scene.current = made;
  }, []);

  const onInit = useCallback((flow: ReactFlowInstance) => {
    useCanvas.setState({ flow });
    showAll(0);
    setBegun(true);
  }, []);

  const onPaneClick = useCallback(
    (event: React.MouseEvent) => {
      dropPull();
      const at = far ? graphPoint({ x: event.clientX, y: event.clientY }) : undefined;
      const over = at && scene.current ? hit(scene.current, at[0], at[1]) : undefined;
      select(over === undefined ? [] : [over]);
    },
    [far],
  );

  const onNodesChange = useCallback((changes: NodeChange[]) => {
    const moved: Record<string, Point> = {};
    const selected = new Set(current().selection);
    let reselected = false;
    for (const change of changes) {
      if (change.type === "position" && change.position) moved[change.id] = [change.position.x, change.position.y];
      if (change.type === "select" && selected.has(change.id) !== change.selected) {
        reselected = true;
        if (change.selected) selected.add(change.id);
        else selected.delete(change.id);
      }
    }
    if (Object.keys(moved).length > 0) {
      const at = withGrouped(snapped(moved));
      useCanvas.setState((s) => ({ drag: { ...s.drag, ...at } }));
    }
    if (reselected) select([...selected]);
  }, []);

  const onEdgesChange = useCallback((changes: EdgeChange[]) => {
    const selected = new Set(current().selection);
    for (const change of changes) {
      if (change.type !== "select") continue;
      if (change.selected) selected.add(change.id);
      else selected.delete(change.id);
    }
    select([...selected]);
  }, []);

  const onDrag = useCallback((event: MouseEvent | TouchEvent, node: Node, dragged: Node[]) => {
    if (useCanvas.getState().copying !== event.altKey) useCanvas.setState({ copying: event.altKey });
    const only = !event.altKey && dragged.length === 1 && node.type === "step" ? node : undefined;
    const under = only && linkUnder(only.id, only.position);
    const now = useCanvas.getState().splice;
    if ((under ?? null) !== now) useCanvas.setState({ splice: under ?? null });
  }, []);

  const onDragStop = useCallback(() => {
    const { drag: moved, splice: into, copying: leaves } = useCanvas.getState();
    useCanvas.setState({ drag: null, splice: null, copying: false, guides: [] });
    if (!moved) return;
    if (leaves) {
      void copies().then(({ dropCopies }) => dropCopies(moved));
      return;
    }
    const dragged = Object.keys(moved);
    edit(into ? t.edits.splice : t.edits.move, (now, whole) => {
      const at = dropped(now, moved);
      const [only] = dragged;
      const inserted = into && only !== undefined ? splice(at, only, wireOf(into), whole, known(), fits()) : null;
      return inserted ?? at;
    });
    if (into) announce(t.edits.splice);
  }, []);

  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: the keys for what the pointer does here are those of the commands
    <div
      ref={pane}
      className={`canvas ${far ? "is-far" : ""} ${copying ? "is-copying" : ""}`}
      onPointerMove={(event) => {
        pointer.x = event.clientX;
        pointer.y = event.clientY;
        pointer.inside = true;
        pointer.free = event.ctrlKey || event.metaKey;
      }}
      onPointerOver={({ target }) => {
        pointer.over = target instanceof Element ? bodyOf(target) : undefined;
      }}
      onPointerLeave={() => {
        pointer.inside = false;
        pointer.over = undefined;
      }}
      onContextMenu={(event) => {
        const { target, clientX, clientY } = event;
        const ours = target instanceof Element && target.closest(".react-flow__pane") && !isText(target);
        if (!ours || event.defaultPrevented) return;
        event.preventDefault();
        void import("./contextMenu").then(({ openMenu }) => openMenu(target, clientX, clientY));
      }}
      onDoubleClick={(event) => {
        if (!(event.target instanceof Element) || !event.target.closest(".react-flow__pane")) return;
        if (event.target.closest(".react-flow__node, .react-flow__edge")) {
          onHead(event.target); // these lie in the pane too
          return;
        }
        const at = graphPoint({ x: event.clientX, y: event.clientY });
        const over = far && scene.current ? hit(scene.current, at[0], at[1]) : undefined;
        if (over !== undefined) showNodes([over]);
        else openDialog({ kind: "palette", at, screen: [event.clientX, event.clientY], pull: null });
      }}
    >
      <ReactFlow
        nodes={far ? NO_NODES : shownNodes}
        edges={links}
        nodeTypes={NODES}
        edgeTypes={LINKS}
        onInit={onInit}
        onNodesChange={onNodesChange}
        onEdgesChange={onEdgesChange}
        onNodeDrag={onDrag}
        onNodeDragStop={onDragStop}
        onSelectionDragStop={onDragStop}
        onPaneClick={onPaneClick}
        onNodeClick={onPressed}
        connectOnClick={false}
        onConnectStart={startPull}
        onEdgeDoubleClick={leadHere}
        onReconnectStart={startRejoining}
        onReconnect={rejoin}
        onReconnectEnd={endRejoining}
        isValidConnection={fitting}
        connectionLineComponent={Pulled}
        connectionRadius={SNAP}
        reconnectRadius={9}
        onlyRenderVisibleElements
        disableKeyboardA11y
        edgesFocusable={false}
        nodesFocusable
        deleteKeyCode={null}
        panActivationKeyCode={null}
        selectionKeyCode={MORE}
        multiSelectionKeyCode={MORE}
        selectionMode={SelectionMode.Partial}
        panOnDrag={PANNING}
        panOnScroll={movesByWheel}
        zoomOnDoubleClick={false}
        defaultViewport={start}
        minZoom={0.04}
        maxZoom={2.5}
        nodeDragThreshold={2}
        attributionPosition="bottom-left"
        aria-label={t.canvas.label}
        ariaLabelConfig={NO_DESCRIPTIONS}
      >
        <Background variant={BackgroundVariant.Dots} gap={24} size={1.5} className="dots" />
        <Guides />
      </ReactFlow>
      {far && <Far onScene={onScene} />}
      <Suspense>
        <Knife over={pane} />
        {minimap && <Minimap />}
      </Suspense>
      <Breadcrumbs />
      {against && (
        <Suspense>
          <Compared />
        </Suspense>
      )}
      <Empty />
      <Controls />
      <PortsThatFit />
      <Refusal />
    </div>
  );
}

/** Which nodes of the shown run have a picture of their own: what their sizes depend on. */
function liveKey(jobs: ReturnType<typeof useRuns.getState>["jobs"], tab: string): string {
  const { job, id } = current();
  if (job === null || id !== tab) return "";
  const names = Object.entries(jobs[job]?.nodes ?? {}).flatMap(([name, run]) =>
    run.preview === undefined ? [] : [name],
  );
  return names.join();
}

function Breadcrumbs() {
  const path = useTab((tab) => tab.path);
  if (path.length === 0) return null;
  return (
    <nav className="breadcrumbs" aria-label={t.canvas.breadcrumbs}>
      <button type="button" onClick={() => leave(0)}>
        {t.canvas.root}
      </button>
      {path.map((id, i) => (
        <button
          key={path.slice(0, i + 1).join("/")}
          type="button"
          aria-current={i === path.length - 1 ? "page" : undefined}
          onClick={() => leave(i + 1)}
        >
          {id}
        </button>
      ))}
    </nav>
  );
}
