import { useEffect, useState } from "react";
import { useShallow } from "zustand/react/shallow";
import * as api from "../api/client";
import type { NodeType } from "../core/catalogue";
import { graphAt } from "../core/document";
import { saidOnTheWay } from "../core/runs";
import { lookAt, shownOutput } from "../state/geometry";
import { useRuns } from "../state/runs";
import { currentDocument, useTab } from "../state/session";
import { openDialog, useView } from "../state/view";
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
  const over = useRuns((s) => {
    const shown = job === null ? undefined : s.jobs[job];
    // a run tells nothing of nodes that it did not need: they may be kept all the same
    return run ? run.state === "done" || run.state === "cached" : shown?.state === "done";
  });
  const looking = useView((s) => s.dialog?.kind === "look");
  const [missing, setMissing] = useState("");
  const [words, setWords] = useState("");
  const [missed, setMissed] = useState("");
  const output = shownOutput(type);
  const kind = output && lookAt(output.type);
  const saved = run?.results?.at(-1);
  const made = job !== null && output !== undefined && over ? api.outputUrl(job, runKey, output.name) : undefined;
  const live = run?.preview;
  useEffect(() => {
    setWords("");
    setMissed("");
    if (job === null || !output || !made || looking || (kind !== "words" && missing !== made)) return;
    api.output(job, runKey, output.name).then(
      (found) => {
        setWords(found.words ?? "");
        if (found.picture) setMissing(""); // since a look there is one
        api.letGo(found);
      },
      (error: unknown) => error instanceof api.Refused && error.status !== 404 && setMissed(error.message),
    );
  }, [missing, made, kind, looking, job, output, runKey]);
  const said = useRuns(useShallow((s) => (saved && job !== null ? saidOnTheWay(s.jobs[job], isKnown) : NOTHING)));
  const rough = kind === "latent" && live !== undefined; // what sampling showed is nearer to the picture
  const kept = made && missing !== made && kind !== "words" && !rough ? made : live;
  const url = saved ? api.thumbnailUrl(saved) : kept;
  const large = saved ? api.resultUrl(saved) : url;
  const offered = output && kind && !url && !words && !missed && (!run || over || run.state === "skipped");
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
          {(words || missed) && <span>{words || missed}</span>}
          {offered && (
            <button
              type="button"
              className="button nodrag"
              onClick={() =>
                openDialog({ kind: "look", node: runKey, port: output.name, alt: `${title}: ${output.title}` })
              }
            >
              {t.panel.make}
            </button>
          )}
        </span>
      )}
    </div>
  );
}
