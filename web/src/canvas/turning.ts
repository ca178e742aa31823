import { type RefObject, useEffect } from "react";
import { deviceOf } from "../core/wheel";
import { useView } from "../state/view";

/** Whether the wheel moves the graph. Until it is known whether it is one or a pad, look at how it turns. */
export function useMovingWheel(over: RefObject<HTMLElement | null>): boolean {
  const wheel = useView((s) => s.wheel);
  const device = useView((s) => s.device);
  const asked = wheel === "auto" && device === null;
  useEffect(() => {
    const pane = over.current;
    if (!pane || !asked) return;
    const turned = (event: WheelEvent) => {
      const found = deviceOf(event);
      if (found === null) return;
      useView.setState({ device: found });
      if (found === "wheel") return;
      event.preventDefault();
      event.stopPropagation();
    };
    const early = { capture: true, passive: false };
    pane.addEventListener("wheel", turned, early);
    return () => pane.removeEventListener("wheel", turned, early);
  }, [over, asked]);
  return wheel === "move" || (wheel === "auto" && device === "pad");
}
