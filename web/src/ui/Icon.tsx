/** The editor's pictures: strokes on a 16 x 16 grid. */

const PATHS = {
  menu: "M2.5 4h11M2.5 8h11M2.5 12h11",
  plus: "M8 3v10M3 8h10",
  close: "M4 4l8 8M12 4l-8 8",
  play: "M5 3.2v9.6L12.8 8z",
  stop: "M4 4h8v8H4z",
  chevron: "M4 6l4 4 4-4",
  right: "M6 4l4 4-4 4",
  left: "M10 4L6 8l4 4",
  up: "M4 10l4-4 4 4",
  enter: "M9.5 3H13v3.5M13 3L8.5 7.5M6.5 13H3V9.5M3 13l4.5-4.5",
  dice: "M3 3h10v10H3zM6 6v.01M10 10v.01M10 6v.01M6 10v.01",
  swap: "M3 6h9.5L10 3.5M13 10H3.5L6 12.5",
  image: "M2.5 3h11v10h-11zM2.5 11l3.5-3.5 3 3 2-2 2.5 2.5M10.5 6.2v.01",
  camera: "M2.5 5h2.500l1-1.500h4L11 5h2.500v8h-11zM8 11a2.200 2.200 0 100-4.400A2.200 2.200 0 008 11z",
  upload: "M8 11V3M4.5 6.5L8 3l3.5 3.5M3 13h10",
  brush: "M13 3L7 9M7 9c-2 0-2.5 1.5-2.5 2.5S3.5 13 2.500 13c1 .7 5.500 1 6-2.500z",
  star: "M8 2.2l1.8 3.700 4 .600-2.900 2.800.700 4L8 11.400 4.400 13.300l.700-4L2.200 6.500l4-.600z",
  trash: "M3 4.500h10M6.500 4.500V3h3v1.500M4.500 4.500l.5 9h6l.500-9",
  search: "M7 11.500a4.500 4.500 0 100-9 4.500 4.500 0 000 9zM10.500 10.500l3.500 3.500",
  fit: "M2.500 6V2.500H6M10 2.500h3.500V6M13.500 10v3.500H10M6 13.500H2.500V10",
  minus: "M3 8h10",
  warning: "M8 2.500L14 13H2zM8 6.500v3M8 11.300v.01",
  clock: "M8 14A6 6 0 108 2a6 6 0 000 12zM8 5v3.200l2 1.500",
  info: "M8 14A6 6 0 108 2a6 6 0 000 12zM8 7.500v3.500M8 5v.01",
  form: "M2.500 3.500h11v3h-11zM2.500 9.500h11v3h-11z",
  check: "M3 8.500l3.500 3.500L13 4.500",
  graph: "M2.500 5h4v3h-4zM9.500 3h4v3h-4zM9.500 10h4v3h-4zM6.500 6.500c2 0 1-2 3-2M6.500 6.500c2 0 1 5 3 5",
  palette:
    "M8 2.500a5.500 5.500 0 100 11c1.500 0 1-1.500.5-2s0-1.500 1-1.500h2c1 0 2-1 2-2.500A5.500 5 0 008 2.500zM5 8v.01M6.500 5.500v.01M9.500 5.500v.01",
  undo: "M3 7h7a3 3 0 010 6H7M3 7l3-3M3 7l3 3",
  redo: "M13 7H6a3 3 0 000 6h3M13 7l-3-3M13 7l-3 3",
  loop: "M13 8a5 5 0 11-1.500-3.500M13 2v3h-3",
  copy: "M6 6h7v7H6zM3 10V3h7",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name, size = 16 }: { name: IconName; size?: number }) {
  return (
    <svg
      className="icon"
      width={size}
      height={size}
      viewBox="0 0 16 16"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.5"
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
    >
      <path d={PATHS[name]} />
    </svg>
  );
}
