import { type ReactNode, useEffect, useRef } from "react";
import { t } from "../text";
import { IconButton } from "./IconButton";

interface Props {
  readonly label: string;
  readonly className?: string;
  readonly onClose: () => void;
  readonly children: ReactNode;
  /** Whether the label is shown as a heading, with a button that closes. */
  readonly headed?: boolean;
  readonly style?: React.CSSProperties;
}

/** A modal dialog: the browser's own, so that focus stays inside, Escape closes, and what is behind is inert. */
export function Dialog({ label, className = "", onClose, children, headed = false, style }: Props) {
  const ref = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const before = document.activeElement;
    if (!ref.current?.open) ref.current?.showModal();
    // the browser would begin with the button that closes
    const first = ref.current?.querySelector<HTMLElement>("input, select, textarea, .primary");
    first?.focus();
    if (first instanceof HTMLInputElement) first.select();
    return () => {
      if (before instanceof HTMLElement && before.isConnected) before.focus({ preventScroll: true });
    };
  }, []);
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: a click beside the dialog closes it; for the keyboard Escape does
    <dialog
      ref={ref}
      className={`dialog ${className}`}
      aria-label={label}
      style={style}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onClick={(event) => event.target === ref.current && onClose()}
    >
      <div className="dialog-body">
        {headed && (
          <div className="dialog-head">
            <h2>{label}</h2>
            <IconButton icon="close" label={t.gallery.close} onClick={onClose} />
          </div>
        )}
        {children}
      </div>
    </dialog>
  );
}
