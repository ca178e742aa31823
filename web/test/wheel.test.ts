import { expect, it } from "vitest";
import { deviceOf, type Turn } from "../src/core/wheel";

const still: Turn = { deltaX: 0, deltaY: 0, deltaMode: 0, ctrlKey: false, shiftKey: false };
const device = (turn: Partial<Turn>) => deviceOf({ ...still, ...turn });

it("knows a wheel by its notches: lines, far steps, or few pixels that are a whole notch", () => {
  expect(device({ deltaY: 3, deltaMode: 1 })).toBe("wheel");
  expect(device({ deltaY: -100 })).toBe("wheel");
  expect(device({ deltaY: 90.9, wheelDeltaY: -109 })).toBe("wheel");
  expect(device({ deltaY: 4.000244140625, wheelDeltaY: -120 })).toBe("wheel");
});

it("knows a pad by small steps and by those aside", () => {
  expect(device({ deltaY: 1, wheelDeltaY: -3 })).toBe("pad");
  expect(device({ deltaY: -2.5 })).toBe("pad");
  expect(device({ deltaX: 60, deltaY: 140 })).toBe("pad");
});

it("tells nothing from pinching, from a wheel turned aside, and from what does not move", () => {
  expect(device({ deltaY: 1.5, ctrlKey: true })).toBeNull();
  expect(device({ deltaX: 120, shiftKey: true })).toBeNull();
  expect(device({})).toBeNull();
});
