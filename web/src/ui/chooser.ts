/** One list for all choices of the page: opened by a field, drawn once. */

import { create } from "zustand";

export interface Choice {
  readonly value: string;
  readonly title: string;
  readonly note?: string;
}

export interface Choosing {
  readonly anchor: DOMRect;
  readonly label: string;
  readonly choices: readonly Choice[];
  /** Whether these are models, which may have pictures. */
  readonly pictured?: boolean;
  readonly value: string | undefined;
  readonly onPick: (value: string) => void;
  /** What takes the focus back. */
  readonly back: HTMLElement;
}

export const useChooser = create<{ open: Choosing | null }>(() => ({ open: null }));

export function choose(
  from: HTMLElement,
  open: Omit<Choosing, "anchor" | "back">,
  anchor = from.getBoundingClientRect(),
): void {
  useChooser.setState({ open: { ...open, anchor, back: from } });
}
