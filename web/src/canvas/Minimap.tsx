import { useStoreApi } from "@xyflow/react";
import { useEffect, useRef } from "react";
import { around } from "../state/geometry";
import { useRuns } from "../state/runs";
import { current, currentDocument, currentGraph, useSession } from "../state/session";
import { useView } from "../state/view";
import { t } from "../text";
import { isShown, runState } from "./Far";
import { fitCanvas, paint, type Scene, scene } from "./far";
import { isLive } from "./live";
import { useCanvas } from "./state";

const MARGIN = 10;
const REST = 300;

/** The whole graph in a corner, and what of it is seen. A press goes there. */
export default function Minimap() {
  const canvas = useRef<HTMLCanvasElement>(null);
  const place = useRef({ x: 0, y: 0, zoom: 1 });
  const store = useStoreApi();
  const theme = useView((s) => s.theme);
  // biome-ignore lint/correctness/useExhaustiveDependencies: another theme has other colours
  useEffect(() => {
    const on = canvas.current;
    if (!on) return;
    const style = getComputedStyle(on);
    let drawn: Scene | null = null;
    // the graph stays as it was drawn while only what is seen of it changes
    let sheet: CanvasRenderingContext2D | null = null;
    let kept = "";
    let timer: ReturnType<typeof setTimeout> | undefined;
    let rest: ReturnType<typeof setTimeout> | undefined;
    const draw = () => {
      clearTimeout(timer);
      timer = undefined;
      drawn ??= scene(currentGraph(), currentDocument(), isLive);
      const { transform, width, height } = store.getState();
      const [x, y, zoom] = transform;
      const seen = { x: -x / zoom, y: -y / zoom, width: width / zoom, height: height / zoom };
      const graph = around(drawn.boxes.values());
      const box = around([...drawn.boxes.values(), seen]);
      if (!box || !graph) return;
      // where all of the graph is seen a map of it only covers some of it
      const whole =
        graph.x >= seen.x &&
        graph.y >= seen.y &&
        graph.x + graph.width <= seen.x + seen.width &&
        graph.y + graph.height <= seen.y + seen.height;
      on.classList.toggle("unneeded", whole);
      if (whole) return;
      const context = fitCanvas(on);
      sheet ??= document.createElement("canvas").getContext("2d");
      if (!context || !sheet) return;
      const fit = Math.min(
        (on.clientWidth - MARGIN * 2) / box.width,
        (on.clientHeight - MARGIN * 2) / box.height,
        0.15,
      );
      place.current = {
        x: on.clientWidth / 2 - (box.x + box.width / 2) * fit,
        y: on.clientHeight / 2 - (box.y + box.height / 2) * fit,
        zoom: fit,
      };
      const { x: left, y: top } = place.current;
      const now = [left, top, fit, on.width, on.height].join();
      if (kept !== now) {
        kept = now;
        sheet.canvas.width = on.width;
        sheet.canvas.height = on.height;
        const brush = { style, selection: new Set(current().selection), state: runState };
        paint(sheet, drawn, place.current, brush, on.clientWidth, on.clientHeight);
      }
      const scale = (fit * on.width) / on.clientWidth;
      context.setTransform(1, 0, 0, 1, 0, 0);
      context.clearRect(0, 0, on.width, on.height);
      context.drawImage(sheet.canvas, 0, 0);
      context.setTransform(scale, 0, 0, scale, (left * scale) / fit, (top * scale) / fit);
      context.lineWidth = 1.5 / fit;
      context.strokeStyle = style.getPropertyValue("--accent");
      context.strokeRect(seen.x, seen.y, seen.width, seen.height);
    };
    // ten times a second is enough for a map, and leaves the frame to the canvas
    const ask = () => {
      timer ??= setTimeout(draw, 100);
    };
    // to draw another graph takes long, and who edits does not look here
    const askAnew = () => {
      rest ??= setTimeout(() => {
        rest = undefined;
        kept = "";
        drawn = null;
        draw();
      }, REST);
    };
    const stops = [
      store.subscribe((now, before) => (now.transform !== before.transform || now.width !== before.width) && ask()),
      useRuns.subscribe((now, before) => isShown(now, before) && askAnew()),
      useSession.subscribe(askAnew),
    ];
    ask();
    return () => {
      clearTimeout(timer);
      clearTimeout(rest);
      for (const stop of stops) stop();
    };
  }, [store, theme]);

  const go = (event: React.PointerEvent<HTMLCanvasElement>) => {
    if (event.buttons !== 1) return;
    const box = event.currentTarget.getBoundingClientRect();
    const { x, y, zoom } = place.current;
    const flow = useCanvas.getState().flow;
    void flow?.setCenter((event.clientX - box.left - x) / zoom, (event.clientY - box.top - y) / zoom, {
      zoom: flow.getZoom(),
    });
  };
  return (
    <canvas
      ref={canvas}
      className="minimap"
      role="img"
      aria-label={t.canvas.minimap}
      onPointerDown={(event) => {
        event.currentTarget.setPointerCapture(event.pointerId);
        go(event);
      }}
      onPointerMove={go}
    />
  );
}
