/** What happens on the canvas right now: of no interest to the document until it is done. */

import type { ReactFlowInstance, Viewport } from "@xyflow/react";
import { create } from "zustand";
import type { Point } from "../core/document";
import type { Guide } from "../core/snapping";
import { around, type Box, boxes } from "../state/geometry";
import { current, currentDocument, currentGraph, graphOf } from "../state/session";
import { type Pull, useView } from "../state/view";
import { isLive } from "./live";

interface Now {
  readonly flow: ReactFlowInstance | null;
  /** Where nodes are while they are dragged. */
  readonly drag: Readonly<Record<string, Point>> | null;
  /** Whether what is dragged becomes a copy. */
  readonly copying: boolean;
  /** The lines along which what is dragged is held. */
  readonly guides: readonly Guide[];
  /** The links under the knife. */
  readonly cutting: readonly string[] | null;
  readonly pull: Pull | null;
  /** Whether the pull waits for another port to be pressed. */
  readonly tapped: boolean;
  /** The links that are taken to another output. */
  readonly moving: readonly string[];
  /** Why the port under the pointer does not take the link. */
  readonly refusal: string | null;
  /** The link that a dropped node would be put into. */
  readonly splice: string | null;
  /** Whether the view is about to jump so far out that the graph is drawn from afar. */
  readonly leaving: boolean;
}

export const useCanvas = create<Now>(() => ({
  flow: null,
  drag: null,
  copying: false,
  guides: [],
  cutting: null,
  pull: null,
  tapped: false,
  moving: [],
  refusal: null,
  splice: null,
  leaving: false,
}));

/** The zoom under which a graph is drawn from afar; above it, sooner where there are so many nodes that all of those
 * seen would take long to make. */
export const farZoom = (): number => (areMany() ? 0.55 : 0.4);

/** Whether the graph has so many nodes that making those that come into view shows. */
export const areMany = (): boolean => Object.keys(currentGraph().nodes).length > 200;
const MARGIN = 60;
const PANEL = 304;
const TOP = 44;

export function paneBox(): DOMRect | undefined {
  return document.querySelector(".canvas")?.getBoundingClientRect();
}

/** The view in which these boxes are seen. Sizes are known, so nothing waits for the screen. */
function viewOf(items: Iterable<Box>, width: number, height: number): Viewport | null {
  const box = around(items);
  if (!box) return null;
  const fit = Math.min((width - MARGIN * 2) / box.width, (height - MARGIN * 2) / box.height);
  const zoom = Math.min(1, Math.max(0.05, fit));
  return { x: width / 2 - (box.x + box.width / 2) * zoom, y: height / 2 - (box.y + box.height / 2) * zoom, zoom };
}

/** The view to begin with, before there is a canvas to ask for its size. */
export function firstView(): Viewport {
  const whole = boxes(currentGraph(), currentDocument(), isLive).values();
  const width = innerWidth - (useView.getState().panel ? PANEL : 0);
  return viewOf(whole, width, innerHeight - TOP) ?? { x: 0, y: 0, zoom: 1 };
}

/** Move the view so that these boxes are seen. */
function showBoxes(items: Iterable<Box>, duration = 200): void {
  const { flow } = useCanvas.getState();
  const pane = flow && paneBox();
  const view = pane && viewOf(items, pane.width, pane.height);
  if (!view) return;
  const now = flow.getViewport();
  if (now.x === view.x && now.y === view.y && now.zoom === view.zoom) return;
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const go = () => void flow.setViewport(view, { duration: still ? 0 : duration });
  if (view.zoom >= farZoom() || flow.getZoom() < farZoom()) {
    go();
    return;
  }
  // the nodes go first: on the way out React Flow would make all of them
  useCanvas.setState({ leaving: true });
  requestAnimationFrame(() => {
    go();
    setTimeout(() => useCanvas.setState({ leaving: false }), still ? 50 : duration + 50);
  });
}

export function showAll(duration?: number): void {
  showBoxes(boxes(currentGraph(), currentDocument(), isLive).values(), duration);
}

export function showNodes(ids: readonly string[]): void {
  const all = boxes(graphOf(current()), currentDocument(), isLive);
  showBoxes(ids.flatMap((id) => all.get(id) ?? []));
}

/** The point of the graph under a point of the window; by default the middle of what is seen. */
export function graphPoint(screen?: { x: number; y: number }): Point {
  const flow = useCanvas.getState().flow;
  const view = paneBox();
  const at = screen ?? { x: (view?.left ?? 0) + (view?.width ?? 0) / 2, y: (view?.top ?? 0) + (view?.height ?? 0) / 2 };
  const { x, y } = flow?.screenToFlowPosition(at) ?? { x: 0, y: 0 };
  return [Math.round(x), Math.round(y)];
}

/** Where the pointer was last over the canvas. */
export const pointer = {
  x: 0,
  y: 0,
  inside: false,
  /** The node that it is over. */ over: undefined as string | undefined,
  /** Whether Ctrl lets what is dragged go where it will. */ free: false,
};

/** Move the view only as far as it must for a node to be seen. */
export function reveal(id: string): void {
  const flow = useCanvas.getState().flow;
  const box = boxes(currentGraph(), currentDocument(), isLive).get(id);
  const view = paneBox();
  if (!flow || !box || !view) return;
  const { x, y, zoom } = flow.getViewport();
  const left = box.x * zoom + x;
  const top = box.y * zoom + y;
  const inside =
    left >= 0 && top >= 0 && left + box.width * zoom <= view.width && top + box.height * zoom <= view.height;
  if (!inside) void flow.setCenter(box.x + box.width / 2, box.y + box.height / 2, { zoom });
}
