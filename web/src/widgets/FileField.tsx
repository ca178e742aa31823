import { useRef, useState } from "react";
import * as api from "../api/client";
import type { Widget } from "../core/catalogue";
import { openMask, openSketch } from "../paint/opening";
import { complain, openDialog } from "../state/view";
import { t } from "../text";
import { Icon } from "../ui/Icon";
import { IconButton } from "../ui/IconButton";
import type { FieldProps } from "./Field";

interface Props extends FieldProps<string> {
  readonly widget: Extract<Widget, { kind: "file" }>;
}

/** A file: chosen, dropped or pasted; a picture can be taken or sketched, and a mask painted. */
export function FileField({ widget, value, label, doc, onChange, place }: Props) {
  const input = useRef<HTMLInputElement>(null);
  const [over, setOver] = useState(false);
  const [broken, setBroken] = useState("");
  const send = async (file: Blob | undefined | null) => {
    if (!file) return;
    try {
      onChange((await api.upload(file)).name);
    } catch (error) {
      complain(error);
    }
  };
  if (widget.holds === "file") {
    return (
      <label className="field text" title={doc}>
        <span className="field-label">{label}</span>
        <input
          type="text"
          aria-label={label}
          className="nodrag nokey"
          value={value ?? ""}
          spellCheck={false}
          onChange={(event) => onChange(event.target.value)}
        />
      </label>
    );
  }
  const url = value ? api.uploadUrl(value) : "";
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: files are dropped here; the button inside chooses them
    <div
      className={`field file nodrag ${over ? "over" : ""}`}
      title={doc}
      onDragOver={(event) => {
        if (!event.dataTransfer.types.includes("Files") && !event.dataTransfer.types.includes("text/uri-list")) return;
        event.preventDefault();
        event.stopPropagation();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={async (event) => {
        event.preventDefault();
        event.stopPropagation();
        setOver(false);
        const [file] = event.dataTransfer.files;
        const link = event.dataTransfer.getData("text/uri-list");
        await send(file ?? (link ? await (await fetch(link)).blob() : null));
      }}
      onPaste={(event) => {
        const [file] = event.clipboardData.files;
        if (!file) return;
        event.preventDefault();
        event.stopPropagation();
        void send(file);
      }}
    >
      <input
        ref={input}
        className="unseen"
        type="file"
        accept="image/*"
        tabIndex={-1}
        aria-label={label}
        onChange={(event) => {
          void send(event.target.files?.[0]);
          event.target.value = "";
        }}
      />
      <button
        type="button"
        className="file-picture"
        aria-label={`${label}: ${value || t.field.upload}`}
        onClick={() => input.current?.click()}
      >
        {value && broken !== value ? (
          <img src={url} alt="" draggable={false} onError={() => setBroken(value)} />
        ) : (
          <span className="file-empty">
            <Icon name="image" size={20} />
            <span>{value || t.field.drop}</span>
          </span>
        )}
      </button>
      <div className="file-tools">
        <IconButton icon="upload" size={14} label={t.field.upload} onClick={() => input.current?.click()} />
        {widget.holds === "mask" ? (
          <IconButton
            icon="brush"
            size={14}
            label={t.field.paint}
            onClick={() => openMask(place.node, value ?? null, onChange)}
          />
        ) : (
          <>
            <IconButton
              icon="camera"
              size={14}
              label={t.field.camera}
              onClick={() => openDialog({ kind: "camera", put: onChange })}
            />
            <IconButton
              icon="brush"
              size={14}
              label={t.field.sketch}
              onClick={() => openSketch(value ?? null, onChange)}
            />
          </>
        )}
      </div>
    </div>
  );
}
