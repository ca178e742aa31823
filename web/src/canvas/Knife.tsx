import { type RefObject, useEffect, useState } from "react";
import type { Point } from "../core/document";
import { edit } from "../state/session";
import { announce } from "../state/view";
import { t } from "../text";
import { cutFrom } from "./linking";
import { linksCut } from "./splicing";
import { graphPoint, useCanvas } from "./state";

/** Ctrl+Shift+drag on empty canvas cuts the links that the stroke crosses. */
export default function Knife({ over }: { over: RefObject<HTMLElement | null> }) {
  const [stroke, setStroke] = useState<readonly Point[]>([]);
  useEffect(() => {
    const pane = over.current;
    if (!pane) return;
    let line: Point[] = [];
    let pointer: number | null = null;
    const box = () => pane.getBoundingClientRect();
    const end = (cutting: boolean) => {
      const { cutting: links } = useCanvas.getState();
      pointer = null;
      line = [];
      setStroke([]);
      useCanvas.setState({ cutting: null });
      if (!cutting || !links || links.length === 0) return;
      edit(t.edits.knife, (graph) => links.reduce(cutFrom, graph));
      announce(t.canvas.cut(links.length));
    };
    const down = (event: PointerEvent | MouseEvent) => {
      const onPane =
        event.target instanceof Element &&
        pane.contains(event.target) &&
        event.target.closest(".react-flow__pane") &&
        !event.target.closest(".react-flow__node");
      if (!onPane || event.button !== 0 || !event.shiftKey || !(event.ctrlKey || event.metaKey)) return;
      // neither the frame of a selection nor the view's own dragging begins
      event.preventDefault();
      event.stopPropagation();
      if (!(event instanceof PointerEvent)) return;
      pointer = event.pointerId;
      line = [[event.clientX, event.clientY]];
    };
    const move = (event: PointerEvent) => {
      if (event.pointerId !== pointer) return;
      line.push([event.clientX, event.clientY]);
      const { left, top } = box();
      setStroke(line.map(([x, y]): Point => [x - left, y - top]));
      const cutting = linksCut(line.map(([x, y]) => graphPoint({ x, y })));
      if (cutting.join() !== useCanvas.getState().cutting?.join()) useCanvas.setState({ cutting });
    };
    const up = (event: PointerEvent) => event.pointerId === pointer && end(event.type === "pointerup");
    const key = (event: KeyboardEvent) => {
      if (event.key !== "Escape" || pointer === null) return;
      event.stopPropagation();
      end(false);
    };
    // on the window: React Flow, which selects by Ctrl+drag, listens on an element around the pane
    addEventListener("pointerdown", down, true);
    addEventListener("mousedown", down, true);
    addEventListener("pointermove", move);
    addEventListener("pointerup", up);
    addEventListener("pointercancel", up);
    addEventListener("keydown", key, true);
    return () => {
      removeEventListener("pointerdown", down, true);
      removeEventListener("mousedown", down, true);
      removeEventListener("pointermove", move);
      removeEventListener("pointerup", up);
      removeEventListener("pointercancel", up);
      removeEventListener("keydown", key, true);
    };
  }, [over]);
  if (stroke.length === 0) return null;
  return (
    <svg className="knife" aria-hidden="true">
      <polyline points={stroke.map((p) => p.join()).join(" ")} />
    </svg>
  );
}
