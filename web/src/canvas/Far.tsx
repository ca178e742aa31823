import { type Transform, useStoreApi } from "@xyflow/react";
import { useEffect, useRef } from "react";
import type { Runs } from "../core/runs";
import { useRuns } from "../state/runs";
import { current, currentDocument, currentGraph, graphOf, useSession, useTab } from "../state/session";
import { useView } from "../state/view";
import { t } from "../text";
import { fitCanvas, paint, type Scene, scene } from "./far";
import { isLive } from "./live";

/** Room around the view, in pixels, for which the graph is drawn ahead. */
const ROOM = 240;

/** What is known of the runs of the shown nodes, for their outlines. */
export function runState(id: string): string | undefined {
  const { job, path } = current();
  const state = job === null ? undefined : useRuns.getState().jobs[job]?.nodes[[...path, id].join("/")]?.state;
  return state === "running" || state === "failed" ? state : undefined;
}

/** Whether something became of the run that is shown. */
export function isShown({ jobs }: Runs, before: Runs): boolean {
  const { job } = current();
  return job !== null && jobs[job] !== before.jobs[job];
}

/** The graph from afar, on one canvas that follows the view. It draws when something changed, once a frame. */
export function Far({ onScene }: { onScene: (scene: Scene) => void }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const store = useStoreApi();
  const theme = useView((s) => s.theme);
  const count = useTab((tab) => Object.keys(graphOf(tab).nodes).length);
  // biome-ignore lint/correctness/useExhaustiveDependencies: another theme has other colours
  useEffect(() => {
    const on = canvas.current;
    if (!on) return;
    const style = getComputedStyle(on);
    let drawn: Scene | null = null;
    let frame = 0;
    // while the view is only moved, what was drawn with some room around it is moved too
    const sheet = document.createElement("canvas").getContext("2d");
    let at = { x: 0, y: 0, zoom: 0 };
    let kept = false;
    let shown: Transform | null = null;
    const draw = () => {
      frame = 0;
      const now = store.getState().transform;
      const [x, y, zoom] = now;
      if (shown?.every((value, i) => value === now[i])) return;
      const context = fitCanvas(on);
      if (!context || !sheet) return;
      if (!drawn) {
        drawn = scene(currentGraph(), currentDocument(), isLive);
        onScene(drawn);
      }
      const brush = { style, selection: new Set(current().selection), state: runState };
      const { clientWidth, clientHeight } = on;
      const moved = shown !== null && shown[2] === zoom;
      shown = now;
      if (!moved) {
        kept = false;
        at = { x, y, zoom };
        paint(context, drawn, at, brush);
        return;
      }
      const scale = on.width / Math.max(1, clientWidth);
      if (!kept || Math.abs(x - at.x) > ROOM || Math.abs(y - at.y) > ROOM) {
        kept = true;
        at = { x, y, zoom };
        const [width, height] = [clientWidth + ROOM * 2, clientHeight + ROOM * 2];
        sheet.canvas.width = width * scale;
        sheet.canvas.height = height * scale;
        paint(sheet, drawn, { x: x + ROOM, y: y + ROOM, zoom }, brush, width, height);
      }
      context.setTransform(1, 0, 0, 1, 0, 0);
      context.clearRect(0, 0, on.width, on.height);
      const shift = (to: number, from: number) => Math.round((to - from - ROOM) * scale);
      context.drawImage(sheet.canvas, shift(x, at.x), shift(y, at.y));
    };
    const ask = () => {
      if (frame === 0) frame = requestAnimationFrame(draw);
    };
    const forget = () => {
      shown = null;
      kept = false;
    };
    const askAnew = () => {
      forget();
      ask();
    };
    const stops = [
      store.subscribe((now, before) => now.transform !== before.transform && ask()),
      useRuns.subscribe((now, before) => isShown(now, before) && askAnew()),
      useSession.subscribe(() => {
        drawn = null;
        askAnew();
      }),
    ];
    // told of the first size too, before it is seen
    const resized = new ResizeObserver(() => {
      forget();
      draw();
    });
    resized.observe(on);
    return () => {
      cancelAnimationFrame(frame);
      resized.disconnect();
      for (const stop of stops) stop();
    };
  }, [store, onScene, theme]);
  return <canvas ref={canvas} className="far" role="img" aria-label={t.canvas.far(count)} />;
}
