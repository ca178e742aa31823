/** Give the focus to something on the canvas, or to a part of it, once it is drawn. */
export function focusNode(id: string, part = ""): void {
  requestAnimationFrame(() => {
    document
      .querySelector<HTMLElement>(`.react-flow__node[data-id="${CSS.escape(id)}"] ${part}`)
      ?.focus({ preventScroll: true });
  });
}
