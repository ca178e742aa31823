/** The server's events. `EventSource` goes on by itself from the last event it saw; a refused stream is opened anew. */

import type { Told } from "../core/runs";

const TYPES = ["job", "queue", "Started", "Progress", "Finished", "Cached", "Failed", "Skipped", "Saved", "Warned"];
const AGAIN = 1500;

export interface Listener {
  told(event: Told): void;
  /** The stream stands: what was missed can be fetched now. */
  opened(): void;
  lost(): void;
}

/** Listen until the returned function is called. */
export function listen(listener: Listener): () => void {
  let source: EventSource | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let last = "";
  const start = () => {
    source = new EventSource(`/api/events${last === "" ? "" : `?after=${encodeURIComponent(last)}`}`);
    source.onopen = () => listener.opened();
    source.onerror = () => {
      listener.lost();
      if (source?.readyState !== EventSource.CLOSED) return;
      clearTimeout(timer);
      timer = setTimeout(start, AGAIN);
    };
    // what the server no longer has is not sent: the state is read anew
    source.addEventListener("lost", () => listener.opened());
    for (const type of TYPES) {
      source.addEventListener(type, (event) => {
        if (event.lastEventId !== "") last = event.lastEventId;
        listener.told({ type, data: JSON.parse(event.data) });
      });
    }
  };
  start();
  return () => {
    clearTimeout(timer);
    source?.close();
  };
}
