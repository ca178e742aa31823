import { useEffect, useMemo } from "react";
import type { Put } from "../state/view";
import { t } from "../text";
import { Studio } from "./Studio";
import { hand, usePainter, usePicture } from "./usePainter";

interface Props {
  readonly put: Put;
  readonly picture: string | null;
}

const SIZE = 512;
const PAPER = "#ffffff";
const COLOURS = [
  "#1c1c22",
  "#ffffff",
  "#e5484d",
  "#f5a524",
  "#f7e04b",
  "#46a758",
  "#3e7bfa",
  "#8e4ec6",
  "#8d6a4f",
  "#9ba1a6",
];

/** Drawing a picture to start from: on paper, or over the picture that is there. */
export default function SketchDialog({ put, picture: url }: Props) {
  const { picture, over } = usePicture(url);
  const size = useMemo(
    () => (over ? { width: picture?.width ?? SIZE, height: picture?.height ?? SIZE } : null),
    [picture, over],
  );
  const { painter, version, brush, change } = usePainter(
    size,
    { colour: COLOURS[0] ?? "#000000", hardness: 0.95 },
    PAPER,
  );
  // biome-ignore lint/correctness/useExhaustiveDependencies: once for a painter and its picture
  useEffect(() => {
    if (!painter) return;
    const paper = document.createElement("canvas");
    paper.width = painter.width;
    paper.height = painter.height;
    const on = paper.getContext("2d");
    if (!on) return;
    on.fillStyle = PAPER;
    on.fillRect(0, 0, paper.width, paper.height);
    if (picture) on.drawImage(picture, 0, 0);
    painter.load(paper, false);
    change({ size: Math.max(2, Math.round(painter.width / 20)) });
  }, [painter, picture]);
  if (!painter) return null;
  return (
    <Studio
      label={t.paint.sketch}
      painter={painter}
      version={version}
      picture={null}
      tint={null}
      tools={["brush", "eraser", "rectangle", "lasso", "fill"]}
      brush={brush}
      onBrush={change}
      onDone={() => void hand(painter.surface, put)}
    >
      <fieldset className="swatches">
        <legend>{t.paint.colour}</legend>
        {COLOURS.map((colour) => (
          <label key={colour}>
            <input
              type="radio"
              name="colour"
              aria-label={colour}
              checked={brush.colour === colour}
              onChange={() => change({ colour })}
            />
            <span style={{ background: colour }} />
          </label>
        ))}
        <input
          type="color"
          aria-label={t.paint.colour}
          value={brush.colour}
          onChange={(event) => change({ colour: event.target.value })}
        />
      </fieldset>
    </Studio>
  );
}
