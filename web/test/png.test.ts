import { crc32, deflateSync } from "node:zlib";
import { expect, it } from "vitest";
import { carrying } from "../src/core/png";

function chunk(kind: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(kind), data]);
  const made = Buffer.alloc(body.length + 8);
  made.writeUInt32BE(data.length, 0);
  body.copy(made, 4);
  made.writeUInt32BE(crc32(body), body.length + 4);
  return made;
}

it("puts a document behind the header of a PNG", () => {
  const head = Buffer.from([0, 0, 0, 1, 0, 0, 0, 1, 8, 0, 0, 0, 0]);
  const png = Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10]),
    chunk("IHDR", head),
    chunk("IDAT", deflateSync(Buffer.from([0, 0]))),
    chunk("IEND", Buffer.alloc(0)),
  ]);
  const text = '{"name": "Füchse"}';
  const made = Buffer.from(carrying(png, text));
  const own = chunk("iTXt", Buffer.concat([Buffer.from("nodegraph\0\0\0\0\0"), Buffer.from(text)]));
  expect(made.equals(Buffer.concat([png.subarray(0, 33), own, png.subarray(33)]))).toBe(true);
});
