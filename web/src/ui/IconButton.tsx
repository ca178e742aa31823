import type { ButtonHTMLAttributes } from "react";
import { Icon, type IconName } from "./Icon";

interface Props extends ButtonHTMLAttributes<HTMLButtonElement> {
  readonly icon: IconName;
  /** What it does: its name for screen readers and its tooltip. */
  readonly label: string;
  readonly size?: number;
}

export function IconButton({ icon, label, size, className = "", ...rest }: Props) {
  return (
    <button type="button" className={`icon-button ${className}`} aria-label={label} title={label} {...rest}>
      <Icon name={icon} {...(size !== undefined && { size })} />
    </button>
  );
}
