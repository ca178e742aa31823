import { useStoreApi } from "@xyflow/react";
import { useEffect, useRef } from "react";
import { useRuns } from "../state/runs";
import { current, currentDocument, currentGraph, graphOf, useSession, useTab } from "../state/session";
import { useView } from "../state/view";
import { t } from "../text";
import { fitCanvas, paint, type Scene, scene } from "./far";
import { isLive } from "./live";

/** What is known of the runs of the shown nodes, for their outlines. */
export function runState(id: string): string | undefined {
  const { job, path } = current();
  const state = job === null ? undefined : useRuns.getState().jobs[job]?.nodes[[...path, id].join("/")]?.state;
  return state === "running" || state === "failed" ? state : undefined;
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
    const draw = () => {
      frame = 0;
      const context = fitCanvas(on);
      if (!context) return;
      if (!drawn) {
        drawn = scene(currentGraph(), currentDocument(), isLive);
        onScene(drawn);
      }
      const [x, y, zoom] = store.getState().transform;
      paint(context, drawn, { x, y, zoom }, { style, selection: new Set(current().selection), state: runState });
    };
    const ask = () => {
      if (frame === 0) frame = requestAnimationFrame(draw);
    };
    const stops = [
      store.subscribe(ask),
      useRuns.subscribe(ask),
      useSession.subscribe(() => {
        drawn = null;
        ask();
      }),
    ];
    const resized = new ResizeObserver(ask);
    resized.observe(on);
    ask();
    return () => {
      cancelAnimationFrame(frame);
      resized.disconnect();
      for (const stop of stops) stop();
    };
  }, [store, onScene, theme]);
  return <canvas ref={canvas} className="far" role="img" aria-label={t.canvas.far(count)} />;
}
