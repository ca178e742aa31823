import { useEffect, useMemo, useState } from "react";
import * as api from "../api/client";
import { closeDialog, complain, type Put } from "../state/view";
import { type Brush, Painter } from "./painter";

/** A painter of a size, with what React needs to know of it: its brush, and when it has changed. */
export function usePainter(
  size: { width: number; height: number } | null,
  start: Partial<Brush>,
  paper: string | null = null,
) {
  const [version, setVersion] = useState(0);
  const painter = useMemo(
    () => (size ? new Painter(size.width, size.height, paper, () => setVersion((v) => v + 1)) : null),
    [size, paper],
  );
  const [brush, setBrush] = useState<Brush>({
    tool: "brush",
    size: 40,
    hardness: 0.8,
    opacity: 1,
    colour: "#ffffff",
    ...start,
  });
  return { painter, version, brush, change: (how: Partial<Brush>) => setBrush((now) => ({ ...now, ...how })) };
}

/** A picture from an address; null until it is there, or where there is none. */
export function usePicture(url: string | null) {
  const [found, setFound] = useState<{ picture: ImageBitmap | null; over: boolean }>({
    picture: null,
    over: url === null,
  });
  useEffect(() => {
    if (url === null) return;
    let gone = false;
    fetch(url)
      .then(async (response) => (response.ok ? await createImageBitmap(await response.blob()) : null))
      .catch(() => null)
      .then((picture) => {
        if (!gone) setFound({ picture, over: true });
      });
    return () => {
      gone = true;
    };
  }, [url]);
  return found;
}

/** Upload a picture, and put its name into the field that it was made for. */
export async function hand(canvas: HTMLCanvasElement, put: Put): Promise<void> {
  try {
    const file = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, "image/png"));
    if (!file) return;
    put((await api.upload(file)).name);
    closeDialog();
  } catch (error) {
    complain(error);
  }
}
