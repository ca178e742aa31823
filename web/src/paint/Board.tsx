import { useCallback, useEffect, useRef } from "react";
import { t } from "../text";
import { blank, context, type Painter } from "./painter";

interface Props {
  readonly painter: Painter;
  readonly picture: CanvasImageSource | null;
  /** The colour in which a mask is shown over its picture; null shows the paint itself. */
  readonly tint: string | null;
  readonly version: number;
  readonly onBrushSize: (size: number) => void;
}

interface View {
  x: number;
  y: number;
  zoom: number;
}

const SHADE = 0.6;

/** The board that is painted on: pointers to strokes, wheel and pinch to the view. */
export function Board({ painter, picture, tint, version, onBrushSize }: Props) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const view = useRef<View | null>(null);
  const pointers = useRef(new Map<number, { x: number; y: number }>());
  const hover = useRef<{ x: number; y: number } | null>(null);
  const panning = useRef<number | null>(null);
  const space = useRef(false);
  const frame = useRef(0);
  const layer = useRef<HTMLCanvasElement | null>(null);

  const whole = useCallback((): View => {
    const on = canvas.current;
    const zoom = on ? Math.min((on.clientWidth - 32) / painter.width, (on.clientHeight - 32) / painter.height) : 1;
    return {
      zoom,
      x: ((on?.clientWidth ?? 0) - painter.width * zoom) / 2,
      y: ((on?.clientHeight ?? 0) - painter.height * zoom) / 2,
    };
  }, [painter]);

  const draw = useCallback(() => {
    frame.current = 0;
    const on = canvas.current;
    const target = on?.getContext("2d");
    if (!on || !target) return;
    const scale = devicePixelRatio || 1;
    const [width, height] = [Math.round(on.clientWidth * scale), Math.round(on.clientHeight * scale)];
    if (on.width !== width || on.height !== height) {
      on.width = width;
      on.height = height;
    }
    view.current ??= whole();
    const { x, y, zoom } = view.current;
    target.setTransform(1, 0, 0, 1, 0, 0);
    target.clearRect(0, 0, width, height);
    target.setTransform(zoom * scale, 0, 0, zoom * scale, x * scale, y * scale);
    target.imageSmoothingEnabled = zoom < 2;
    target.fillStyle = "#808080";
    target.fillRect(0, 0, painter.width, painter.height);
    if (picture) target.drawImage(picture, 0, 0, painter.width, painter.height);
    layer.current ??= blank(painter.width, painter.height);
    const over = context(layer.current);
    over.clearRect(0, 0, painter.width, painter.height);
    painter.compose(over);
    if (tint !== null) {
      over.globalCompositeOperation = "source-in";
      over.fillStyle = tint;
      over.fillRect(0, 0, painter.width, painter.height);
      over.globalCompositeOperation = "source-over";
    }
    target.globalAlpha = tint === null ? 1 : SHADE;
    target.drawImage(layer.current, 0, 0);
    target.globalAlpha = 1;
    const { tool, size } = painter.brush;
    if (hover.current && (tool === "brush" || tool === "eraser")) {
      const at = hover.current;
      for (const [colour, line] of [
        ["#000", 3],
        ["#fff", 1.5],
      ] as const) {
        target.strokeStyle = colour;
        target.lineWidth = line / zoom;
        target.beginPath();
        target.arc((at.x - x) / zoom, (at.y - y) / zoom, size / 2, 0, Math.PI * 2);
        target.stroke();
      }
    }
  }, [painter, picture, tint, whole]);

  const ask = useCallback(() => {
    if (frame.current === 0) frame.current = requestAnimationFrame(draw);
  }, [draw]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: another version of the painting is drawn anew
  useEffect(ask, [ask, version]);

  useEffect(() => {
    const on = canvas.current;
    if (!on) return;
    const wheel = (event: WheelEvent) => {
      event.preventDefault();
      if (event.altKey) {
        onBrushSize(painter.brush.size * Math.exp(-event.deltaY / 500));
        return;
      }
      const box = on.getBoundingClientRect();
      zoomAt(event.clientX - box.left, event.clientY - box.top, Math.exp(-event.deltaY / 400));
      ask();
    };
    const zoomAt = (px: number, py: number, by: number) => {
      const now = view.current ?? whole();
      const zoom = Math.min(40, Math.max(0.05, now.zoom * by));
      view.current = { zoom, x: px - ((px - now.x) * zoom) / now.zoom, y: py - ((py - now.y) * zoom) / now.zoom };
    };
    const keys = (event: KeyboardEvent) => {
      if (
        event.code === "Space" &&
        !(event.target instanceof HTMLInputElement) &&
        !(event.target instanceof HTMLButtonElement)
      ) {
        space.current = event.type === "keydown";
        event.preventDefault();
      }
      if (event.type === "keydown" && event.key === "0") {
        view.current = null;
        ask();
      }
    };
    const resized = new ResizeObserver(() => {
      view.current = null;
      ask();
    });
    resized.observe(on);
    // React listens to the wheel passively, where the page cannot be kept from scrolling
    on.addEventListener("wheel", wheel, { passive: false });
    addEventListener("keydown", keys, true);
    addEventListener("keyup", keys, true);
    return () => {
      resized.disconnect();
      on.removeEventListener("wheel", wheel);
      removeEventListener("keydown", keys, true);
      removeEventListener("keyup", keys, true);
      cancelAnimationFrame(frame.current);
      frame.current = 0;
    };
  }, [painter, ask, whole, onBrushSize]);

  const spot = (event: { clientX: number; clientY: number }): [number, number] => {
    const box = canvas.current?.getBoundingClientRect();
    const { x, y, zoom } = view.current ?? whole();
    return [(event.clientX - (box?.left ?? 0) - x) / zoom, (event.clientY - (box?.top ?? 0) - y) / zoom];
  };
  const pressure = (event: PointerEvent | React.PointerEvent) =>
    event.pointerType === "pen" && event.pressure > 0 ? 0.3 + event.pressure * 0.7 : 1;

  const down = (event: React.PointerEvent<HTMLCanvasElement>) => {
    event.currentTarget.setPointerCapture(event.pointerId);
    pointers.current.set(event.pointerId, { x: event.clientX, y: event.clientY });
    if (pointers.current.size === 2) {
      painter.cancel(); // the first finger was the beginning of a pinch
      return;
    }
    if (event.button === 1 || space.current) {
      panning.current = event.pointerId;
      return;
    }
    if (event.button !== 0 && event.button !== 5) return;
    const at = spot(event);
    const line = event.shiftKey ? painter.last : null;
    painter.begin(line ?? at, pressure(event), event.button === 5);
    if (line) painter.move(at, pressure(event));
  };

  const move = (event: React.PointerEvent<HTMLCanvasElement>) => {
    const box = event.currentTarget.getBoundingClientRect();
    hover.current = { x: event.clientX - box.left, y: event.clientY - box.top };
    const known = pointers.current.get(event.pointerId);
    const now = view.current ?? whole();
    if (known && pointers.current.size === 2) {
      const [other] = [...pointers.current].filter(([id]) => id !== event.pointerId).map(([, p]) => p);
      if (other) {
        const before = Math.hypot(known.x - other.x, known.y - other.y);
        const after = Math.hypot(event.clientX - other.x, event.clientY - other.y);
        const by = before > 0 ? after / before : 1;
        const [px, py] = [other.x - box.left, other.y - box.top];
        view.current = { zoom: now.zoom * by, x: px - (px - now.x) * by, y: py - (py - now.y) * by };
      }
    } else if (known && panning.current === event.pointerId) {
      view.current = { ...now, x: now.x + event.clientX - known.x, y: now.y + event.clientY - known.y };
    } else if (known) {
      const samples = event.nativeEvent.getCoalescedEvents?.() ?? [];
      for (const sample of samples.length > 0 ? samples : [event.nativeEvent])
        painter.move(spot(sample), pressure(sample));
    }
    if (known) pointers.current.set(event.pointerId, { x: event.clientX, y: event.clientY });
    ask();
  };

  const up = (event: React.PointerEvent<HTMLCanvasElement>) => {
    pointers.current.delete(event.pointerId);
    if (panning.current === event.pointerId) panning.current = null;
    else painter.end();
  };

  return (
    <canvas
      ref={canvas}
      className="board"
      role="img"
      aria-label={t.paint.canvas}
      onPointerDown={down}
      onPointerMove={move}
      onPointerUp={up}
      onPointerCancel={() => {
        pointers.current.clear();
        painter.cancel();
      }}
      onPointerLeave={() => {
        hover.current = null;
        ask();
      }}
      onContextMenu={(event) => event.preventDefault()}
    />
  );
}
