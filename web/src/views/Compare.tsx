import { useState } from "react";
import type { Result } from "../api/client";
import { t } from "../text";
import { Dialog } from "../ui/Dialog";

/** Two pictures over each other, with a line between them that moves; or side by side. */
export function Compare({ first, second, onClose }: { first: Result; second: Result; onClose: () => void }) {
  const [at, setAt] = useState(50);
  const [beside, setBeside] = useState(false);
  return (
    <Dialog label={t.gallery.compare} className="compare" headed onClose={onClose}>
      <label className="check">
        <input type="checkbox" checked={beside} onChange={(event) => setBeside(event.target.checked)} />
        <span>{t.gallery.beside}</span>
      </label>
      <div className={`compare-pictures ${beside ? "beside" : ""}`} style={{ "--at": `${at}%` } as React.CSSProperties}>
        <img src={first.url} alt={first.prompt || first.name} />
        <img src={second.url} alt={second.prompt || second.name} className="second" />
        {!beside && (
          <input
            type="range"
            min={0}
            max={100}
            value={at}
            aria-label={t.gallery.slider}
            onChange={(event) => setAt(Number(event.target.value))}
          />
        )}
      </div>
      <div className="compare-names">
        <span>{first.prompt || first.name}</span>
        <span>{second.prompt || second.name}</span>
      </div>
    </Dialog>
  );
}
