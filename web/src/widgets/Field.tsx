import type { InputPort } from "../core/catalogue";
import type { Json } from "../core/document";
import { BoxesField } from "./BoxesField";
import { ChoiceField } from "./ChoiceField";
import { ColourField } from "./ColourField";
import { FileField } from "./FileField";
import { NumberField } from "./NumberField";
import { SeedField } from "./SeedField";
import { LinesField, PromptField, TextField } from "./TextField";

/** What every field is given. It knows neither its node nor its document. */
export interface FieldProps<T = Json> {
  readonly name: string;
  readonly label: string;
  readonly value: T | undefined;
  readonly doc: string;
  readonly onChange: (value: T) => void;
  /** Where it is, for what a field opens: `node.port` of the shown graph. */
  readonly place: { readonly node: string; readonly port: string };
}

interface Props extends Omit<FieldProps, "label" | "name" | "doc"> {
  readonly input: InputPort;
  readonly label?: string;
}

/** The field of an input, from its widget alone. */
export function Field({ input, label = input.title, value, onChange, place }: Props) {
  const { widget, name, doc } = input;
  if (widget === null) return null;
  const common = { name, label, doc, place };
  switch (widget.kind) {
    case "number":
    case "slider":
      return <NumberField {...common} widget={widget} value={asNumber(value)} onChange={onChange} />;
    case "seed":
      return <SeedField {...common} widget={widget} value={asNumber(value)} onChange={onChange} />;
    case "toggle":
      return (
        <label className="field toggle" title={doc}>
          <span className="field-label">{label}</span>
          <input
            type="checkbox"
            aria-label={label}
            checked={value === true}
            onChange={(event) => onChange(event.target.checked)}
          />
        </label>
      );
    case "choice":
      return <ChoiceField {...common} widget={widget} value={value} onChange={onChange} />;
    case "colour":
      return <ColourField {...common} value={asText(value)} onChange={onChange} />;
    case "file":
      return <FileField {...common} widget={widget} value={asText(value)} onChange={onChange} />;
    case "boxes":
      return <BoxesField {...common} value={asText(value)} onChange={onChange} />;
    case "textarea":
      return <PromptField {...common} wildcards={widget.wildcards} value={asText(value)} onChange={onChange} />;
    case "lines":
      return <LinesField {...common} value={Array.isArray(value) ? value.map(String) : []} onChange={onChange} />;
    case "text":
      return <TextField {...common} value={asText(value)} onChange={onChange} />;
    case "json":
      return (
        <TextField
          {...common}
          value={value === undefined ? "" : JSON.stringify(value)}
          onChange={(text) => onChange(parsed(text))}
        />
      );
  }
}

function asNumber(value: Json | undefined): number | undefined {
  return typeof value === "number" ? value : undefined;
}

function asText(value: Json | undefined): string | undefined {
  return typeof value === "string" ? value : undefined;
}

function parsed(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return text;
  }
}
