import { describe, expect, it } from "vitest";
import { copy, paste } from "../src/core/clipboard";
import { along, cross, curve, pieceAt } from "../src/core/curve";
import { type Graph, tidy, type Workflow } from "../src/core/document";
import * as edits from "../src/core/edits";
import { addPoint, movePoint, pointsOf, removePoints } from "../src/core/reroutes";
import { snapped } from "../src/core/snapping";
import { gather, unfold } from "../src/core/subgraphs";
import { picture } from "./toy";

const LINK = "decode.image>save.image";
const led = addPoint(addPoint(picture, LINK, 0, [10, 20]), LINK, 1, [30, 40]) as Workflow;

describe("points of links", () => {
  it("are added between others, moved and removed", () => {
    const three = addPoint(led, LINK, 1, [20, 30]);
    expect(pointsOf(three, LINK)).toEqual([
      [10, 20],
      [20, 30],
      [30, 40],
    ]);
    expect(pointsOf(movePoint(three, LINK, 1, [5, 5]), LINK)[1]).toEqual([5, 5]);
    const gone = removePoints(three, [
      { link: LINK, index: 0 },
      { link: LINK, index: 2 },
    ]);
    expect(pointsOf(gone, LINK)).toEqual([[20, 30]]);
    expect(
      tidy(
        removePoints(
          led,
          [0, 1].map((index) => ({ link: LINK, index })),
        ) as Workflow,
      ),
    ).toEqual(tidy(picture));
  });

  it("go with their link and its nodes, and follow a new id", () => {
    const wire = { source: { node: "decode", port: "image" }, target: { node: "save", port: "image" } };
    expect(edits.disconnect(led, wire).layout?.reroutes).toEqual({});
    expect(edits.removeNodes(led, ["save"]).layout?.reroutes).toEqual({});
    expect(Object.keys(edits.renameNode(led, "decode", "made").graph.layout?.reroutes ?? {})).toEqual([
      "made.image>save.image",
    ]);
    expect(tidy({ ...led, layout: { reroutes: { "no.where>save.image": [[1, 2]] } } })).not.toHaveProperty("layout");
  });

  it("are copied and pasted with the nodes on both sides", () => {
    const text = copy(led, led, { nodes: ["decode", "save"], notes: [], groups: [] });
    expect(JSON.parse(copy(led, led, { nodes: ["save"], notes: [], groups: [] })).layout.reroutes).toEqual({});
    const [x, y] = led.layout?.nodes?.decode ?? [0, 0];
    const [sx, sy] = led.layout?.nodes?.save ?? [0, 0];
    const at = [Math.min(x, sx) + 100, Math.min(y, sy) + 50] as const;
    const pasted = paste(led, led, text, at, false);
    expect(pasted?.graph.layout?.reroutes?.["decode_2.image>save_2.image"]).toEqual([
      [110, 70],
      [130, 90],
    ]);
  });

  it("go into a subgraph and come back", () => {
    const made = gather(led, [], ["decode", "save"], "part");
    const inside = made?.document.definitions?.part as Graph;
    expect(inside.layout?.reroutes).toEqual(led.layout?.reroutes);
    expect(made?.document.layout?.reroutes).toEqual({});
    const back = made && unfold(made.document, [], made.id);
    expect(back?.document.layout?.reroutes?.[LINK]).toHaveLength(2);
  });
});

describe("the line of a link", () => {
  it("goes through its points", () => {
    expect(curve([0, 0], [], [100, 0])).toBe("M0,0C50,0 50,0 100,0");
    const way = along([0, 0], [[50, 80]], [100, 0]);
    expect(way).toContainEqual([50, 80]);
    expect(way[0]).toEqual([0, 0]);
    expect(way.at(-1)).toEqual([100, 0]);
  });

  it("says between which points a place lies", () => {
    const over = [
      [50, 80],
      [150, 80],
    ] as const;
    expect(pieceAt([0, 0], over, [200, 0], [10, 10])).toBe(0);
    expect(pieceAt([0, 0], over, [200, 0], [100, 85])).toBe(1);
    expect(pieceAt([0, 0], over, [200, 0], [199, 0])).toBe(2);
  });

  it("is cut by what crosses it", () => {
    const way = along([0, 0], [], [100, 0]);
    expect(cross(way, [[40, -10] as const, [45, 10] as const])).toBe(true);
    expect(cross(way, [[140, -10] as const, [145, 10] as const])).toBe(false);
  });
});

describe("snapping", () => {
  const other = { x: 100, y: 200, width: 50, height: 60 };

  it("holds an edge that is near, and shows along which line", () => {
    const found = snapped({ x: 97, y: 20, width: 50, height: 30 }, [other], 6);
    expect(found).toEqual({ by: [3, 0], guides: [{ axis: 0, at: 100, from: 20, to: 260 }] });
    expect(snapped({ x: 300, y: 228, width: 50, height: 30 }, [other], 6).by).toEqual([0, 2]);
  });

  it("leaves what is not near", () => {
    expect(snapped({ x: 90, y: 20, width: 40, height: 30 }, [other], 6)).toEqual({ by: [0, 0], guides: [] });
  });
});
