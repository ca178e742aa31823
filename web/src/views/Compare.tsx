import { useState } from "react";
import type { Result } from "../api/client";
import { t } from "../text";
import { Dialog } from "../ui/Dialog";

/** Two pictures over each other, with a line between them that moves. */
export function Compare({ first, second, onClose }: { first: Result; second: Result; onClose: () => void }) {
  const [at, setAt] = useState(50);
  return (
    <Dialog label={t.gallery.compare} className="compare" headed onClose={onClose}>
      <div className="compare-pictures" style={{ "--at": `${at}%` } as React.CSSProperties}>
        <img src={first.url} alt={first.prompt || first.name} />
        <img src={second.url} alt={second.prompt || second.name} className="second" />
        <input
          type="range"
          min={0}
          max={100}
          value={at}
          aria-label={t.gallery.slider}
          onChange={(event) => setAt(Number(event.target.value))}
        />
      </div>
      <div className="compare-names">
        <span>{first.prompt || first.name}</span>
        <span>{second.prompt || second.name}</span>
      </div>
    </Dialog>
  );
}
