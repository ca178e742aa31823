import { expect, it } from "vitest";
import { inLine, moved, type Waiting } from "../src/core/queue";

const line: readonly Waiting[] = [2, 0, 0, 0, 0, -1].map((priority, i) => ({
  id: "abcdef"[i] ?? "",
  priority,
  created: i,
}));

function after(id: string, by: 1 | -1): string {
  const changed = moved(line, id, by);
  const next = line.map((each) => ({ ...each, priority: changed.get(each.id) ?? each.priority }));
  expect(next.every((each, i) => each.priority >= (line[i]?.priority ?? 0))).toBe(true);
  return next
    .toSorted(inLine)
    .map((each) => each.id)
    .join("");
}

it("moves one run one place, and lowers none, so that what comes next waits behind them", () => {
  expect(after("b", 1)).toBe("acbdef");
  expect(after("e", -1)).toBe("abcedf");
  expect(after("b", -1)).toBe("bacdef");
  expect(after("f", -1)).toBe("abcdfe");
  expect(after("a", -1)).toBe("abcdef");
  expect(after("f", 1)).toBe("abcdef");
});
