/** The shown graph as a PNG that carries its document. */

import { carrying } from "../core/png";
import { documentText } from "../state/files";
import { graphSvg } from "./svg";

/** Pixels to a unit of the graph, and the longest side that browsers draw for certain. */
const SHARP = 2;
const LONGEST = 8192;

export async function graphPng(): Promise<Blob> {
  const url = URL.createObjectURL(new Blob([graphSvg()], { type: "image/svg+xml" }));
  try {
    const picture = new Image();
    picture.src = url;
    await picture.decode();
    const scale = Math.min(SHARP, LONGEST / Math.max(picture.width, picture.height, 1));
    const canvas = document.createElement("canvas");
    canvas.width = Math.max(1, Math.round(picture.width * scale));
    canvas.height = Math.max(1, Math.round(picture.height * scale));
    canvas.getContext("2d")?.drawImage(picture, 0, 0, canvas.width, canvas.height);
    const plain = await new Promise<Blob | null>((done) => canvas.toBlob(done, "image/png"));
    if (!plain) throw new Error("the browser made no picture");
    const bytes = carrying(new Uint8Array(await plain.arrayBuffer()), documentText());
    return new Blob([bytes], { type: "image/png" });
  } finally {
    URL.revokeObjectURL(url);
  }
}
