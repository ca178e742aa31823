import { hueOf } from "./colours";

/** The colour of a type. A list is square. */
export function Dot({ type }: { type: string }) {
  const shape = type.startsWith("list[") ? "type-dot list" : "type-dot";
  return <span className={shape} style={{ "--hue": hueOf(type) } as React.CSSProperties} />;
}
