import { useEffect, useId, useMemo, useRef, useState } from "react";
import { search } from "../core/search";
import { useCatalogue } from "../state/catalogue";
import { t } from "../text";
import { type Choosing, useChooser } from "./chooser";
import "./chooser.css";

const FEW = 8;

export default function Chooser() {
  const open = useChooser((s) => s.open);
  return open && <ChooserList key={`${open.label}${open.anchor.x}${open.anchor.y}`} open={open} />;
}

function ChooserList({ open }: { open: Choosing }) {
  const [query, setQuery] = useState("");
  const items = useMemo(
    () => search(open.choices, query, (c) => [c.title, c.value, c.note ?? ""]),
    [open.choices, query],
  );
  const start = Math.max(
    0,
    open.choices.findIndex((c) => c.value === open.value),
  );
  const [at, setAt] = useState(start);
  const previews = useCatalogue((s) => s.previews);
  const pictures = open.pictured === true && open.choices.some((c) => c.title in previews);
  const box = useRef<HTMLDivElement>(null);
  const input = useRef<HTMLInputElement>(null);
  const id = useId();
  const chosen = items[Math.min(at, items.length - 1)];
  const searched = open.choices.length > FEW;

  useEffect(() => {
    box.current?.showPopover();
    input.current?.focus({ preventScroll: true });
  }, []);
  useEffect(() => {
    box.current?.querySelector('[aria-selected="true"]')?.scrollIntoView({ block: "nearest" });
  });

  const close = () => {
    useChooser.setState({ open: null });
    open.back.focus({ preventScroll: true });
  };
  const pick = (value: string) => {
    close();
    open.onPick(value);
  };
  const keys = (event: React.KeyboardEvent) => {
    event.stopPropagation();
    const last = items.length - 1;
    if (event.key === "ArrowDown") setAt(at >= last ? 0 : at + 1);
    else if (event.key === "ArrowUp") setAt(at <= 0 ? last : at - 1);
    else if (event.key === "Home") setAt(0);
    else if (event.key === "End") setAt(last);
    else if (event.key === "Enter" && chosen) pick(chosen.value);
    else if (event.key === "Escape" || event.key === "Tab") close();
    else return;
    event.preventDefault();
  };
  const below = open.anchor.bottom + 260 < innerHeight || open.anchor.top < 260;
  const width = Math.max(pictures ? 420 : 260, Math.min(360, open.anchor.width));
  return (
    <div
      ref={box}
      popover="manual"
      className="chooser"
      role="dialog"
      aria-label={open.label}
      style={{
        left: Math.max(4, Math.min(open.anchor.left, innerWidth - width - 8)),
        width,
        maxHeight: Math.min(560, (below ? innerHeight - open.anchor.bottom : open.anchor.top) - 10),
        ...(below ? { top: open.anchor.bottom + 2 } : { bottom: innerHeight - open.anchor.top + 2, marginTop: "auto" }),
      }}
      onBlur={(event) => {
        if (!event.currentTarget.contains(event.relatedTarget)) useChooser.setState({ open: null });
      }}
    >
      <input
        ref={input}
        className={searched ? "chooser-input" : "chooser-input unseen"}
        type="text"
        role="combobox"
        aria-label={open.label}
        aria-expanded="true"
        aria-controls={`${id}-list`}
        aria-activedescendant={chosen && `${id}-${items.indexOf(chosen)}`}
        aria-autocomplete="list"
        placeholder={t.field.search}
        value={query}
        onChange={(event) => {
          setQuery(event.target.value);
          setAt(0);
        }}
        onKeyDown={keys}
      />
      <div className="chooser-list" role="listbox" id={`${id}-list`} aria-label={open.label}>
        {items.map((choice, i) => (
          // biome-ignore lint/a11y/useKeyWithClickEvents: the keys are those of the combobox that controls the list
          <div
            key={choice.value}
            id={`${id}-${i}`}
            className="chooser-row"
            role="option"
            tabIndex={-1}
            aria-selected={choice === chosen}
            onMouseMove={() => setAt(i)}
            onMouseDown={(event) => event.preventDefault()}
            onClick={() => pick(choice.value)}
          >
            {pictures && <Picture of={previews[choice.title]} />}
            <span>{choice.title}</span>
            {choice.note && <span className="quiet">{choice.note}</span>}
          </div>
        ))}
      </div>
    </div>
  );
}

/** A small picture in a row, or its place. */
function Picture({ of }: { of: string | undefined }) {
  return of === undefined ? (
    <span className="chooser-picture" />
  ) : (
    <img className="chooser-picture" src={of} alt="" loading="lazy" />
  );
}
