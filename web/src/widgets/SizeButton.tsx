import type { Graph } from "../core/document";
import { setValue } from "../core/edits";
import { currentGraph, edit } from "../state/session";
import { t } from "../text";
import { choose } from "../ui/chooser";
import { IconButton } from "../ui/IconButton";

const RATIOS = ["1:1", "4:3", "3:2", "16:9", "21:9", "3:4", "2:3", "9:16"];
const GRAIN = 8;

/** Presets for a node with a width and a height: shapes of the same area as now, and the two swapped. */
export function SizeButton({ node }: { node: string }) {
  const put = (width: number, height: number) =>
    edit(t.edits.value, (graph: Graph) =>
      setValue(setValue(graph, { node, port: "width" }, width), { node, port: "height" }, height),
    );
  const open = (event: React.MouseEvent<HTMLButtonElement>) => {
    const { width, height } = currentGraph().nodes[node]?.inputs ?? {};
    if (typeof width !== "number" || typeof height !== "number" || width * height <= 0) return;
    const area = width * height;
    const sizes = RATIOS.map((ratio) => {
      const [a = 1, b = 1] = ratio.split(":").map(Number);
      const size = [Math.sqrt((area * a) / b), Math.sqrt((area * b) / a)];
      const [w, h] = size.map((s) => Math.max(GRAIN, Math.round(s / GRAIN) * GRAIN));
      return { value: `${w}x${h}`, title: ratio, note: `${w} × ${h}` };
    });
    choose(event.currentTarget, {
      label: t.field.size,
      choices: [{ value: `${height}x${width}`, title: t.field.swap, note: `${height} × ${width}` }, ...sizes],
      value: undefined,
      onPick: (picked) => {
        const [w = width, h = height] = picked.split("x").map(Number);
        put(w, h);
      },
    });
  };
  return (
    <IconButton icon="swap" size={13} label={t.field.size} onClick={open} onPointerDown={(e) => e.stopPropagation()} />
  );
}
