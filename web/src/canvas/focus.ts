/** How many frames something may take to be drawn. */
const PATIENCE = 30;

/** Give the focus to something on the canvas, or to a part of it, once it is drawn: what comes into view is made first. */
export function focusNode(id: string, part = "", frames = PATIENCE): void {
  requestAnimationFrame(() => {
    const found = document.querySelector<HTMLElement>(`.react-flow__node[data-id="${CSS.escape(id)}"] ${part}`);
    if (found) found.focus({ preventScroll: true });
    else if (frames > 0) focusNode(id, part, frames - 1);
  });
}
