import { useEffect, useState } from "react";
import { graphPng } from "../canvas/graphPng";
import { graphSvg } from "../canvas/svg";
import { documentText } from "../state/files";
import { currentDocument } from "../state/session";
import { closeDialog, complain } from "../state/view";
import { t } from "../text";
import { copyText } from "../ui/copyText";
import { Dialog } from "../ui/Dialog";
import "./export.css";

const KINDS = ["json", "curl", "python", "svg", "png"] as const;
type Kind = (typeof KINDS)[number];

/** The document, and what else can be made of it. */
export default function Export() {
  const [kind, setKind] = useState<Kind>("json");
  const [picture, setPicture] = useState<Blob | null>(null);
  const text = kind === "png" ? "" : written(kind);
  useEffect(() => {
    if (kind === "png") graphPng().then(setPicture, complain);
  }, [kind]);
  const save = () => {
    const content = kind === "png" ? picture : new Blob([text], { type: "text/plain" });
    if (!content) return;
    const name = (currentDocument().name || "workflow").replace(/\W+/g, "_").toLowerCase();
    const ending = { json: "json", curl: "sh", python: "py", svg: "svg", png: "png" }[kind];
    const link = document.createElement("a");
    link.href = URL.createObjectURL(content);
    link.download = `${name}.${ending}`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  };
  return (
    <Dialog label={t.files.exportLabel} className="export" headed onClose={closeDialog}>
      <fieldset className="segments">
        <legend className="unseen">{t.files.exportLabel}</legend>
        {KINDS.map((k) => (
          <label key={k}>
            <input type="radio" name="export" checked={kind === k} onChange={() => setKind(k)} />
            <span>{t.files[k]}</span>
          </label>
        ))}
      </fieldset>
      {kind === "png" ? (
        <Preview picture={picture} />
      ) : (
        <textarea readOnly className="code" aria-label={t.files[kind]} value={text} rows={16} spellCheck={false} />
      )}
      <div className="dialog-foot">
        {kind !== "png" && (
          <button type="button" className="button" onClick={() => void copyText(text)}>
            {t.files.copy}
          </button>
        )}
        <button type="button" className="button primary" onClick={save}>
          {t.files.download}
        </button>
      </div>
    </Dialog>
  );
}

function Preview({ picture }: { picture: Blob | null }) {
  const [url, setUrl] = useState<string>();
  useEffect(() => {
    if (!picture) return;
    const made = URL.createObjectURL(picture);
    setUrl(made);
    return () => URL.revokeObjectURL(made);
  }, [picture]);
  return (
    <figure className="export-picture">
      {url && <img src={url} alt={t.canvas.label} />}
      <figcaption className="quiet">{t.files.carries}</figcaption>
    </figure>
  );
}

function written(kind: Exclude<Kind, "png">): string {
  const document = documentText();
  const url = `${location.origin}/api/jobs?wait=1`;
  switch (kind) {
    case "json":
      return document;
    case "curl":
      return `curl -s '${url}' -H 'Content-Type: application/json' -d @- <<'END'\n{"document": ${document}}\nEND\n`;
    case "python": {
      const held = document.replaceAll("'''", "\\u0027\\u0027\\u0027"); // they would end Python's text
      return `import json\nfrom urllib.request import Request, urlopen\n\ndocument = json.loads(r'''\n${held}''')\nbody = json.dumps({"document": document}).encode()\nwith urlopen(Request("${url}", body, {"Content-Type": "application/json"})) as answer:\n    print(json.load(answer)["results"])\n`;
    }
    case "svg":
      return graphSvg();
  }
}
