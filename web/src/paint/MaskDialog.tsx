import { useEffect, useMemo, useState } from "react";
import { closeDialog, type Put } from "../state/view";
import { t } from "../text";
import { Dialog } from "../ui/Dialog";
import { feathered, grown, inverted } from "./alpha";
import { blank, context, type Painter } from "./painter";
import { Studio } from "./Studio";
import { hand, usePainter, usePicture } from "./usePainter";
import "../ui/swatches.css";

interface Props {
  readonly put: Put;
  readonly picture: string | null;
  readonly mask: string | null;
}

const TINTS = ["#ff3b6b", "#3bd1ff", "#7dff5a", "#ffffff"];

/** Painting a mask over its picture. White in the file is what was painted. */
export default function MaskDialog({ put, picture: pictureUrl, mask: maskUrl }: Props) {
  const picture = usePicture(pictureUrl);
  const mask = usePicture(maskUrl);
  const base = picture.picture ?? mask.picture;
  const size = useMemo(() => (base ? { width: base.width, height: base.height } : null), [base]);
  const { painter, version, brush, change } = usePainter(size, {
    size: size ? Math.max(4, Math.round(size.width / 12)) : 40,
  });
  const [tint, setTint] = useState(TINTS[0] ?? "#ff3b6b");
  const [box, setBox] = useState({ x: 0, y: 0, width: 16, height: 16 });
  const [amount, setAmount] = useState(4);
  const [opaque, setOpaque] = useState(false);

  // biome-ignore lint/correctness/useExhaustiveDependencies: once for a painter and its mask
  useEffect(() => {
    if (painter && size) change({ size: Math.max(4, Math.round(size.width / 12)) });
    if (painter && mask.picture) painter.load(alphaOf(mask.picture), false);
  }, [painter, mask.picture, size]);

  if (!picture.over || !mask.over) return null;
  if (!painter) {
    return (
      <Dialog label={t.paint.mask} className="small" headed onClose={closeDialog}>
        <p>{t.paint.noPicture}</p>
      </Dialog>
    );
  }
  return (
    <Studio
      label={t.paint.mask}
      painter={painter}
      version={version}
      picture={picture.picture}
      tint={tint}
      tools={["brush", "eraser", "rectangle", "lasso", "fill"]}
      brush={brush}
      onBrush={change}
      onDone={() => void hand(onBlack(painter), put)}
      onInvert={() => painter.alpha(inverted)}
    >
      <div className="studio-buttons">
        <button type="button" className="button" onClick={() => painter.alpha(inverted)}>
          {t.paint.invert}
        </button>
        <button type="button" className="button" onClick={() => painter.alpha((a, w, h) => grown(a, w, h, amount))}>
          {t.paint.grow}
        </button>
        <button type="button" className="button" onClick={() => painter.alpha((a, w, h) => grown(a, w, h, -amount))}>
          {t.paint.shrink}
        </button>
        <button type="button" className="button" onClick={() => painter.alpha((a, w, h) => feathered(a, w, h, amount))}>
          {t.paint.feather}
        </button>
        <label className="tiny-number">
          <span className="unseen">{t.paint.size}</span>
          <input
            type="number"
            min={1}
            max={64}
            value={amount}
            onChange={(event) => setAmount(Math.max(1, event.target.valueAsNumber || 1))}
          />{" "}
          px
        </label>
        {picture.picture && (
          <button
            type="button"
            className="button"
            onClick={() => {
              const found = transparencyOf(picture.picture);
              setOpaque(!found);
              if (found) painter.load(found, true);
            }}
          >
            {t.paint.alpha}
          </button>
        )}
      </div>
      <fieldset className="numbers">
        <legend>{t.paint.numbers}</legend>
        {(
          [
            ["x", t.paint.left],
            ["y", t.paint.top],
            ["width", t.paint.width],
            ["height", t.paint.height],
          ] as const
        ).map(([key, label]) => (
          <label key={key}>
            <span>{label}</span>
            <input
              type="number"
              min={0}
              value={box[key]}
              onChange={(event) => setBox({ ...box, [key]: event.target.valueAsNumber || 0 })}
            />
          </label>
        ))}
        <button type="button" className="button" onClick={() => painter.box(box)}>
          {t.paint.addBox}
        </button>
      </fieldset>
      <fieldset className="swatches">
        <legend>{t.paint.colour}</legend>
        {TINTS.map((colour) => (
          <label key={colour}>
            <input
              type="radio"
              name="tint"
              aria-label={colour}
              checked={tint === colour}
              onChange={() => setTint(colour)}
            />
            <span style={{ background: colour }} />
          </label>
        ))}
      </fieldset>
      <output className="quiet">
        {t.paint.covered(painter.coverage() * 100)}
        {opaque && ` · ${t.paint.opaque}`}
      </output>
    </Studio>
  );
}

/** The light of a mask file as alpha: what the painter works on. */
function alphaOf(mask: ImageBitmap): HTMLCanvasElement {
  return changed(mask, (data, i) => {
    const light = ((data[i] ?? 0) + (data[i + 1] ?? 0) + (data[i + 2] ?? 0)) / 3;
    data.set([255, 255, 255, (light * (data[i + 3] ?? 255)) / 255], i);
  });
}

/** Where a picture is transparent; null where it is nowhere. */
function transparencyOf(picture: ImageBitmap | null): HTMLCanvasElement | null {
  if (!picture) return null;
  let most = 0;
  const made = changed(picture, (data, i) => {
    const clear = 255 - (data[i + 3] ?? 255);
    most = Math.max(most, clear);
    data.set([255, 255, 255, clear], i);
  });
  return most > 0 ? made : null;
}

function changed(picture: ImageBitmap, each: (data: Uint8ClampedArray, at: number) => void): HTMLCanvasElement {
  const made = blank(picture.width, picture.height);
  const on = context(made);
  on.drawImage(picture, 0, 0);
  const image = on.getImageData(0, 0, made.width, made.height);
  for (let i = 0; i < image.data.length; i += 4) each(image.data, i);
  on.putImageData(image, 0, 0);
  return made;
}

/** The mask as a file: white on black. */
function onBlack(painter: Painter): HTMLCanvasElement {
  const made = blank(painter.width, painter.height);
  const on = context(made);
  on.fillRect(0, 0, made.width, made.height);
  on.drawImage(painter.surface, 0, 0);
  return made;
}
