import { type ReactNode, useDeferredValue, useEffect, useId, useMemo, useRef, useState } from "react";
import { t } from "../text";
import { Dialog } from "./Dialog";

interface Props<T> {
  readonly label: string;
  readonly placeholder: string;
  readonly find: (query: string) => readonly T[];
  readonly keyOf: (item: T) => string;
  readonly row: (item: T) => ReactNode;
  /** Shown beside the list for the highlighted item. */
  readonly detail?: (item: T) => ReactNode;
  readonly heading?: (item: T) => string | undefined;
  readonly onPick: (item: T) => void;
  readonly onClose: () => void;
  readonly style?: React.CSSProperties;
  readonly className?: string;
  readonly empty?: string;
}

const MOST = 200;

/** A searched list in a dialog. Everything that is chosen by typing is chosen here. */
export function Picker<T>(props: Props<T>) {
  const { label, placeholder, find, keyOf, row, detail, heading, onPick, onClose, className = "", style } = props;
  const [query, setQuery] = useState("");
  const [at, setAt] = useState(0);
  const asked = useDeferredValue(query);
  const items = useMemo(() => find(asked).slice(0, MOST), [find, asked]);
  const list = useRef<HTMLDivElement>(null);
  const id = useId();
  const chosen = items[Math.min(at, items.length - 1)];

  useEffect(() => {
    list.current?.querySelector('[aria-selected="true"]')?.scrollIntoView({ block: "nearest" });
  });

  const keys = (event: React.KeyboardEvent) => {
    const last = items.length - 1;
    if (event.key === "ArrowDown") setAt(at >= last ? 0 : at + 1);
    else if (event.key === "ArrowUp") setAt(at <= 0 ? last : at - 1);
    else if (event.key === "PageDown") setAt(Math.min(last, at + 8));
    else if (event.key === "PageUp") setAt(Math.max(0, at - 8));
    else if (event.key === "Enter") {
      // what was typed last counts, also where the list has not caught up with it
      const found = query === asked ? chosen : find(query)[0];
      if (found !== undefined) onPick(found);
    } else return;
    event.preventDefault();
  };

  let before: string | undefined;
  return (
    <Dialog label={label} className={`picker ${className}`} onClose={onClose} {...(style && { style })}>
      <input
        autoFocus
        className="picker-input"
        type="text"
        role="combobox"
        aria-label={label}
        aria-expanded="true"
        aria-controls={`${id}-list`}
        aria-activedescendant={chosen === undefined ? undefined : `${id}-${keyOf(chosen)}`}
        aria-autocomplete="list"
        autoComplete="off"
        spellCheck={false}
        placeholder={placeholder}
        value={query}
        onChange={(event) => {
          setQuery(event.target.value);
          setAt(0);
        }}
        onKeyDown={keys}
      />
      <div className="picker-columns">
        <div className="picker-list" role="listbox" id={`${id}-list`} aria-label={label} ref={list} tabIndex={-1}>
          {items.map((item, i) => {
            const head = asked === "" ? heading?.(item) : undefined;
            const shown = head !== before ? head : undefined;
            before = head;
            return (
              <PickerRow
                key={keyOf(item)}
                id={`${id}-${keyOf(item)}`}
                head={shown}
                selected={item === chosen}
                onHover={() => setAt(i)}
                onPick={() => onPick(item)}
              >
                {row(item)}
              </PickerRow>
            );
          })}
        </div>
        {items.length === 0 && <p className="quiet picker-none">{props.empty ?? t.palette.none}</p>}
        {detail && chosen !== undefined && (
          // biome-ignore lint/a11y/noNoninteractiveTabindex: a long text is scrolled by keyboard too
          <section className="picker-detail" aria-label={label} tabIndex={0}>
            {detail(chosen)}
          </section>
        )}
      </div>
    </Dialog>
  );
}

interface RowProps {
  readonly id: string;
  readonly head: string | undefined;
  readonly selected: boolean;
  readonly onHover: () => void;
  readonly onPick: () => void;
  readonly children: ReactNode;
}

function PickerRow({ id, head, selected, onHover, onPick, children }: RowProps) {
  return (
    <>
      {head !== undefined && (
        <div className="picker-head" role="presentation">
          {head}
        </div>
      )}
      {/* biome-ignore lint/a11y/useKeyWithClickEvents: the keys are those of the combobox that controls the list */}
      <div
        id={id}
        className="picker-row"
        role="option"
        tabIndex={-1}
        aria-selected={selected}
        onMouseMove={onHover}
        onMouseDown={(event) => event.preventDefault()}
        onClick={onPick}
      >
        {children}
      </div>
    </>
  );
}
