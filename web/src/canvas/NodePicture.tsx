import { useEffect, useState } from "react";
import { useShallow } from "zustand/react/shallow";
import * as api from "../api/client";
import type { NodeType } from "../core/catalogue";
import { graphAt } from "../core/document";
import { saidOnTheWay } from "../core/runs";
import { lookAt, shownOutput } from "../state/geometry";
import { useRuns } from "../state/runs";
import { currentDocument, useTab } from "../state/session";
import { openDialog } from "../state/view";
import { t } from "../text";
import { Icon } from "../ui/Icon";

const NOTHING: readonly string[] = [];

/** Whether the document has a node that a run names. */
function isKnown(name: string): boolean {
  const path = name.split("/");
  const id = path.pop() ?? "";
  return id in graphAt(currentDocument(), path).nodes;
}

interface Props {
  readonly id: string;
  readonly runKey: string;
  readonly type: NodeType;
  readonly title: string;
  readonly top: number;
}

/** The picture of a node: as it forms, then what was saved, or what the run kept of its output. */
export function NodePicture({ runKey, type, title, top }: Props) {
  const job = useTab((tab) => tab.job);
  const run = useRuns((s) => (job === null ? undefined : s.jobs[job]?.nodes[runKey]));
  const [missing, setMissing] = useState("");
  const [words, setWords] = useState("");
  const output = shownOutput(type);
  const kind = output && lookAt(output.type);
  const saved = run?.results?.at(-1);
  const over = run?.state === "done" || run?.state === "cached";
  const made = job !== null && output !== undefined && over ? api.outputUrl(job, runKey, output.name) : undefined;
  const live = run?.preview;
  useEffect(() => {
    setWords("");
    if (made && (kind === "words" || missing === made)) void api.inWords(made).then(setWords);
  }, [missing, made, kind]);
  const said = useRuns(useShallow((s) => (saved && job !== null ? saidOnTheWay(s.jobs[job], isKnown) : NOTHING)));
  const rough = kind === "latent" && live !== undefined; // what sampling showed is nearer to the picture
  const kept = made && missing !== made && kind !== "words" && !rough ? made : live;
  const url = saved ? api.thumbnailUrl(saved) : kept;
  const large = saved ? api.resultUrl(saved) : url;
  const alt = url === live && run?.state === "running" ? t.node.live(title) : t.node.picture(title);
  return (
    <div className="node-picture" style={{ top }}>
      {url && large ? (
        <button
          type="button"
          className="nodrag"
          aria-label={alt}
          onClick={() => openDialog({ kind: "picture", url: large, alt })}
        >
          <img src={url} alt="" draggable={false} onError={() => made && url === made && setMissing(made)} />
          {said.length > 0 && <span className="picture-said">{said.join(". ")}</span>}
          {run?.results && run.results.length > 1 && <span className="badge">{run.results.length}</span>}
        </button>
      ) : (
        <span className="picture-none">
          {kind !== "words" && <Icon name="image" size={22} />}
          {words && <span>{words}</span>}
        </span>
      )}
    </div>
  );
}
