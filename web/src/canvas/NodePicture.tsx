import { useState } from "react";
import * as api from "../api/client";
import type { NodeType } from "../core/catalogue";
import { pictureOutput } from "../state/geometry";
import { useRuns } from "../state/runs";
import { useTab } from "../state/session";
import { openDialog } from "../state/view";
import { t } from "../text";
import { Icon } from "../ui/Icon";

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
  const output = pictureOutput(type);
  const saved = run?.results?.at(-1);
  const over = run?.state === "done" || run?.state === "cached";
  const made = job !== null && output !== undefined && over ? api.outputUrl(job, runKey, output) : undefined;
  const live = run?.preview;
  const url = saved ? api.thumbnailUrl(saved) : made && missing !== made ? made : live;
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
          {run?.results && run.results.length > 1 && <span className="badge">{run.results.length}</span>}
        </button>
      ) : (
        <Icon name="image" size={22} />
      )}
    </div>
  );
}
