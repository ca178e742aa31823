/** A PNG that carries a document, as pictures do that the server saves: dropped into the editor, it opens. */

const KEYWORD = "nodegraph";
/** Signature and header: other chunks come behind them. */
const HEAD = 8 + 25;

export function carrying(png: Uint8Array, document: string): Uint8Array<ArrayBuffer> {
  // keyword, 0, not compressed, method, no language, no translated keyword, text
  const body = new TextEncoder().encode(`iTXt${KEYWORD}\0\0\0\0\0${document}`);
  const made = new Uint8Array(png.length + body.length + 8);
  const view = new DataView(made.buffer);
  made.set(png.subarray(0, HEAD));
  view.setUint32(HEAD, body.length - 4);
  made.set(body, HEAD + 4);
  view.setUint32(HEAD + 4 + body.length, crc(body));
  made.set(png.subarray(HEAD), HEAD + 8 + body.length);
  return made;
}

function crc(bytes: Uint8Array): number {
  let sum = 0xffffffff;
  for (const byte of bytes) {
    sum ^= byte;
    for (let i = 0; i < 8; i++) sum = (sum >>> 1) ^ (sum & 1 ? 0xedb88320 : 0);
  }
  return (sum ^ 0xffffffff) >>> 0;
}
