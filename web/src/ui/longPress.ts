/** A finger that rests opens the menu of what it rests on, also where the browser does not say so itself. */

const REST = 550;
const STILL = 10;

export function listenToLongPress(): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let from = { x: 0, y: 0 };
  const stop = () => clearTimeout(timer);
  const press = (target: EventTarget) => {
    const { x, y } = from;
    const wanted = new MouseEvent("contextmenu", {
      bubbles: true,
      cancelable: true,
      clientX: x,
      clientY: y,
      button: 2,
    });
    if (target.dispatchEvent(wanted)) return; // nothing opened
    // lifting the finger is then no press of its own, which would close the menu
    addEventListener("touchend", (event) => event.preventDefault(), { once: true, capture: true, passive: false });
  };
  const down = (event: PointerEvent) => {
    stop();
    const { target, pointerType, isPrimary, clientX, clientY } = event;
    if (pointerType !== "touch" || !isPrimary || !target) return;
    from = { x: clientX, y: clientY };
    timer = setTimeout(press, REST, target);
  };
  const move = ({ clientX, clientY }: PointerEvent) => {
    if (Math.hypot(clientX - from.x, clientY - from.y) > STILL) stop();
  };
  const own = (event: MouseEvent) => {
    if (event.isTrusted) stop();
  };
  const ends = ["pointerup", "pointercancel"] as const;
  addEventListener("pointerdown", down, true);
  addEventListener("pointermove", move, true);
  addEventListener("contextmenu", own, true);
  for (const end of ends) addEventListener(end, stop, true);
  return () => {
    stop();
    removeEventListener("pointerdown", down, true);
    removeEventListener("pointermove", move, true);
    removeEventListener("contextmenu", own, true);
    for (const end of ends) removeEventListener(end, stop, true);
  };
}
