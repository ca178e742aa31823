/** The menu of a right click, or of the menu key, on a node, a link or the canvas: commands as everywhere, and their keys. */

import { shown } from "../commands/keymap";
import { useKeys } from "../commands/keys";
import { COMMANDS } from "../commands/registry";
import { keysOf } from "../core/keys";
import { pictureOutput } from "../paint/masking";
import { chosenNodes, current, currentGraph, select } from "../state/session";
import { t } from "../text";
import { choose } from "../ui/chooser";

const NODE = [
  "runTo",
  "bypass",
  "mute",
  "collapse",
  "rename",
  "connect",
  "lead",
  "copy",
  "duplicate",
  "group",
  "subgraph",
];
const PICTURE = ["mask"];
const INSTANCE = ["enter", "unfold"];
const SEVERAL = ["alignLeft", "alignRight", "alignTop", "alignBottom", "distribute", "distributeDown", "arrange"];
const GONE = ["dissolve", "remove"];
const LINK = ["lead", "remove"];
const CANVAS = ["palette", "paste", "pasteLinked", "note", "selectAll", "arrange", "fit", "find", "templates", "run"];

export function openMenu(target: Element, x: number, y: number): void {
  const item = target.closest<HTMLElement>(".react-flow__node, .react-flow__edge");
  const id = item?.dataset.id;
  if (id !== undefined && !current().selection.includes(id)) select([id]);
  const nodes = id === undefined ? [] : chosenNodes();
  const inside = nodes.some((node) => currentGraph().nodes[node]?.type.startsWith("#"));
  const several = nodes.length > 1 ? SEVERAL : [];
  const link = item?.matches(".react-flow__edge");
  const [node] = nodes;
  const pictured = nodes.length === 1 && node !== undefined && pictureOutput(node) !== undefined;
  const own = [...(inside ? INSTANCE : []), ...NODE, ...(pictured ? PICTURE : []), ...several, ...GONE];
  const ids = id === undefined ? CANVAS : link ? LINK : own;
  const commands = ids.flatMap((name) => COMMANDS.find((c) => c.id === name) ?? []);
  const { custom } = useKeys.getState();
  const choices = commands.map((c) => ({ value: c.id, title: c.title, note: shown(keysOf(c, custom)[0] ?? "") }));
  choose(
    item ?? (target as HTMLElement),
    {
      label: t.canvas.menu,
      choices,
      value: undefined,
      onPick: (picked) => commands.find((c) => c.id === picked)?.run(),
    },
    new DOMRect(x, y, 360, 0),
  );
}
