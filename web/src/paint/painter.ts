/** Painting on a bitmap: for masks, where its alpha is what counts, and for sketches, where its colours are.
 *
 * The truth is one canvas of the picture's own size. A stroke is drawn into a canvas of its own and put down once, when
 * it ends: so its dabs do not add up beyond its opacity, and a stroke that is broken off leaves nothing. Undo keeps only
 * the rectangle that a step changed.
 */

export type Tool = "brush" | "eraser" | "rectangle" | "lasso" | "fill";

export interface Brush {
  readonly tool: Tool;
  readonly size: number;
  readonly hardness: number;
  readonly opacity: number;
  readonly colour: string;
}

interface Rect {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

interface Change {
  readonly at: Rect;
  readonly before: ImageData;
  readonly after: ImageData;
}

type Context = CanvasRenderingContext2D;
type Spot = readonly [number, number];

const MEMORY = 96 * 1024 * 1024;
const SPACING = 0.12;

export class Painter {
  readonly width: number;
  readonly height: number;
  /** What is painted, in the picture's pixels. */
  readonly surface: HTMLCanvasElement;
  /** What is under the paint, where that is part of the picture: what an eraser brings back. A mask has none. */
  readonly paper: string | null;
  brush: Brush = { tool: "brush", size: 40, hardness: 0.8, opacity: 1, colour: "#ffffff" };

  private readonly on: Context;
  private readonly stroke: HTMLCanvasElement;
  private readonly strokeOn: Context;
  private done: Change[] = [];
  private undone: Change[] = [];
  private path: Spot[] = [];
  private drawing: Tool | null = null;
  private left = 0;
  private pressure = 1;
  private dirty: Rect | null = null;
  private readonly changed: () => void;

  constructor(width: number, height: number, paper: string | null, changed: () => void) {
    this.width = width;
    this.height = height;
    this.paper = paper;
    this.changed = changed;
    this.surface = blank(width, height);
    this.on = context(this.surface);
    this.stroke = blank(width, height);
    this.strokeOn = context(this.stroke);
  }

  get canUndo(): boolean {
    return this.done.length > 0;
  }

  get canRedo(): boolean {
    return this.undone.length > 0;
  }

  /** Where the last stroke ended: from there a click with Shift draws a straight line. */
  last: Spot | null = null;

  begin(at: Spot, pressure: number, erase: boolean): void {
    this.cancel();
    const { tool } = this.brush;
    this.drawing = erase ? "eraser" : tool;
    this.path = [at];
    this.left = 0;
    this.pressure = pressure;
    if (this.drawing === "fill") {
      this.drawing = null;
      this.flood(at);
      return;
    }
    if (this.drawing === "brush" || this.drawing === "eraser") this.dab(at, pressure);
    this.changed();
  }

  move(at: Spot, pressure: number): void {
    const from = this.path.at(-1);
    if (this.drawing === null || !from) return;
    this.path.push(at);
    if (this.drawing === "brush" || this.drawing === "eraser") this.line(from, at, pressure);
    else this.shape();
    this.pressure = pressure;
    this.changed();
  }

  end(): void {
    if (this.drawing === null) return;
    const how = this.operation();
    this.last = this.path.at(-1) ?? null;
    const dirty = this.dirty;
    this.drawing = null;
    if (dirty) {
      this.record(dirty, () => {
        this.on.globalAlpha = this.brush.opacity;
        this.on.globalCompositeOperation = how;
        this.on.drawImage(this.stroke, 0, 0);
        this.on.globalAlpha = 1;
        this.on.globalCompositeOperation = "source-over";
      });
    }
    this.clearStroke();
    this.changed();
  }

  /** Break a stroke off: it never was. */
  cancel(): void {
    this.drawing = null;
    this.clearStroke();
    this.changed();
  }

  /** What is painted with the stroke under way: what is to be seen. */
  compose(target: Context): void {
    target.drawImage(this.surface, 0, 0);
    if (this.drawing === null) return;
    target.globalAlpha = this.brush.opacity;
    target.globalCompositeOperation = this.operation();
    target.drawImage(this.stroke, 0, 0);
    target.globalAlpha = 1;
    target.globalCompositeOperation = "source-over";
  }

  undo(): void {
    const last = this.done.pop();
    if (!last) return;
    this.on.putImageData(last.before, last.at.x, last.at.y);
    this.undone.push(last);
    this.changed();
  }

  redo(): void {
    const next = this.undone.pop();
    if (!next) return;
    this.on.putImageData(next.after, next.at.x, next.at.y);
    this.done.push(next);
    this.changed();
  }

  /** Put a picture down, fitted to the surface, as one step or as where painting starts. */
  load(picture: CanvasImageSource, asStep: boolean): void {
    const put = () => this.on.drawImage(picture, 0, 0, this.width, this.height);
    if (asStep) this.record(this.whole(), put);
    else put();
    this.changed();
  }

  clear(): void {
    this.record(this.whole(), () => {
      this.on.clearRect(0, 0, this.width, this.height);
      if (this.paper !== null) {
        this.on.fillStyle = this.paper;
        this.on.fillRect(0, 0, this.width, this.height);
      }
    });
    this.changed();
  }

  box(rect: Rect): void {
    this.record(this.whole(), () => {
      this.on.fillStyle = this.brush.colour;
      this.on.fillRect(rect.x, rect.y, rect.width, rect.height);
    });
    this.changed();
  }

  /** Change the alpha of every pixel: `how` gets all of them, row by row, and gives the new ones. */
  alpha(how: (alpha: Uint8ClampedArray, width: number, height: number) => Uint8ClampedArray): void {
    this.record(this.whole(), () => {
      const image = this.on.getImageData(0, 0, this.width, this.height);
      const alpha = new Uint8ClampedArray(this.width * this.height);
      for (let i = 0; i < alpha.length; i++) alpha[i] = image.data[i * 4 + 3] ?? 0;
      const next = how(alpha, this.width, this.height);
      const [r, g, b] = rgb(this.brush.colour);
      for (let i = 0; i < next.length; i++) image.data.set([r, g, b, next[i] ?? 0], i * 4);
      this.on.putImageData(image, 0, 0);
    });
    this.changed();
  }

  /** The part of the surface that is painted, 0 to 1. */
  coverage(): number {
    const { data } = this.on.getImageData(0, 0, this.width, this.height);
    let sum = 0;
    for (let i = 3; i < data.length; i += 4) sum += data[i] ?? 0;
    return sum / (255 * this.width * this.height);
  }

  /** How a stroke is put down. */
  private operation(): GlobalCompositeOperation {
    return this.drawing === "eraser" && this.paper === null ? "destination-out" : "source-over";
  }

  private whole(): Rect {
    return { x: 0, y: 0, width: this.width, height: this.height };
  }

  private record(at: Rect, act: () => void): void {
    const x = Math.max(0, Math.floor(at.x));
    const y = Math.max(0, Math.floor(at.y));
    const width = Math.min(this.width, Math.ceil(at.x + at.width)) - x;
    const height = Math.min(this.height, Math.ceil(at.y + at.height)) - y;
    if (width <= 0 || height <= 0) return;
    const before = this.on.getImageData(x, y, width, height);
    act();
    const after = this.on.getImageData(x, y, width, height);
    this.done.push({ at: { x, y, width, height }, before, after });
    this.undone = [];
    let kept = 0;
    for (let i = this.done.length - 1; i >= 0; i--) {
      const change = this.done[i];
      kept += change ? change.before.data.length * 2 : 0;
      if (kept > MEMORY) {
        this.done = this.done.slice(i + 1);
        break;
      }
    }
  }

  private clearStroke(): void {
    if (this.dirty) this.strokeOn.clearRect(0, 0, this.width, this.height);
    this.dirty = null;
    this.path = [];
  }

  private touch(x: number, y: number, radius: number): void {
    const old = this.dirty;
    const left = Math.min(old?.x ?? Infinity, x - radius - 1);
    const top = Math.min(old?.y ?? Infinity, y - radius - 1);
    const right = Math.max(old ? old.x + old.width : -Infinity, x + radius + 1);
    const bottom = Math.max(old ? old.y + old.height : -Infinity, y + radius + 1);
    this.dirty = { x: left, y: top, width: right - left, height: bottom - top };
  }

  private dab([x, y]: Spot, pressure: number): void {
    const { size, hardness, colour } = this.brush;
    const radius = Math.max(0.5, (size / 2) * pressure);
    const [r, g, b] = rgb(this.drawing === "eraser" ? (this.paper ?? "#ffffff") : colour);
    const soft = this.strokeOn.createRadialGradient(x, y, radius * Math.min(0.98, hardness), x, y, radius);
    soft.addColorStop(0, `rgb(${r} ${g} ${b})`);
    soft.addColorStop(1, `rgb(${r} ${g} ${b} / 0)`);
    this.strokeOn.fillStyle = soft;
    this.strokeOn.beginPath();
    this.strokeOn.arc(x, y, radius, 0, Math.PI * 2);
    this.strokeOn.fill();
    this.touch(x, y, radius);
  }

  /** Dabs from one place to the next, pressed as a pen was on the way. */
  private line(from: Spot, to: Spot, pressure: number): void {
    const gap = Math.max(1, this.brush.size * SPACING);
    const length = Math.hypot(to[0] - from[0], to[1] - from[1]);
    let way = gap - this.left;
    for (; way <= length; way += gap) {
      const part = way / length;
      const at = [from[0] + (to[0] - from[0]) * part, from[1] + (to[1] - from[1]) * part] as const;
      this.dab(at, this.pressure + (pressure - this.pressure) * part);
    }
    this.left = length - (way - gap);
  }

  private shape(): void {
    const [first] = this.path;
    const last = this.path.at(-1);
    if (!first || !last) return;
    this.strokeOn.clearRect(0, 0, this.width, this.height);
    this.strokeOn.fillStyle = this.brush.colour;
    this.dirty = null;
    this.strokeOn.beginPath();
    if (this.drawing === "rectangle") this.strokeOn.rect(first[0], first[1], last[0] - first[0], last[1] - first[1]);
    else for (const [x, y] of this.path) this.strokeOn.lineTo(x, y);
    this.strokeOn.fill();
    for (const [x, y] of this.path) this.touch(x, y, 1);
    this.touch(first[0], first[1], 1);
  }

  /** Fill what is connected and of the same paint. */
  private flood([px, py]: Spot): void {
    const x0 = Math.floor(px);
    const y0 = Math.floor(py);
    if (x0 < 0 || y0 < 0 || x0 >= this.width || y0 >= this.height) return;
    this.record(this.whole(), () => {
      const { width, height } = this;
      const image = this.on.getImageData(0, 0, width, height);
      const pixels = new Uint32Array(image.data.buffer);
      const from = pixels[y0 * width + x0];
      const paint = new Uint32Array(
        new Uint8ClampedArray([...rgb(this.brush.colour), 255 * this.brush.opacity]).buffer,
      )[0];
      if (from === paint || paint === undefined) return;
      const open = [y0 * width + x0];
      for (let at = open.pop(); at !== undefined; at = open.pop()) {
        if (pixels[at] !== from) continue;
        pixels[at] = paint;
        const x = at % width;
        if (x > 0) open.push(at - 1);
        if (x < width - 1) open.push(at + 1);
        if (at >= width) open.push(at - width);
        if (at < width * (height - 1)) open.push(at + width);
      }
      this.on.putImageData(image, 0, 0);
    });
    this.changed();
  }
}

export function blank(width: number, height: number): HTMLCanvasElement {
  const made = document.createElement("canvas");
  made.width = width;
  made.height = height;
  return made;
}

export function context(canvas: HTMLCanvasElement): Context {
  const made = canvas.getContext("2d", { willReadFrequently: true });
  if (!made) throw new Error("this browser gives no canvas to paint on");
  return made;
}

function rgb(colour: string): [number, number, number] {
  const value = Number.parseInt(colour.slice(1), 16);
  return [(value >> 16) & 255, (value >> 8) & 255, value & 255];
}
