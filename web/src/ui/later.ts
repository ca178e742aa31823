/** Parts of the page that are fetched after it is shown: what is needed to begin stays small. */

import { type ComponentType, lazy } from "react";

type Load<P> = () => Promise<{ default: ComponentType<P> }>;

const waiting: (() => Promise<unknown>)[] = [];

/** What is fetched when it is first asked for, or once the page has come to rest. */
export function whenAsked<T>(load: () => Promise<T>): () => Promise<T> {
  waiting.push(load);
  return load;
}

/** A component that is fetched when it is first drawn, or once the page has come to rest. */
export function later<P extends object>(load: Load<P>) {
  return lazy<ComponentType<P>>(whenAsked(load));
}

const REST = 1500;

/** Fetch what was left for later, so that it opens at once. */
export function fetchLater(): () => void {
  const timer = setTimeout(() => {
    for (const load of waiting.splice(0)) load().catch(() => undefined); // it is asked for again when it is drawn
  }, REST);
  return () => clearTimeout(timer);
}
