import type { NodeProps } from "@xyflow/react";
import { memo } from "react";
import { useShallow } from "zustand/react/shallow";
import type { NodeType } from "../core/catalogue";
import { type End, type Json, linksOf, type Step } from "../core/document";
import { exposedPorts, setValue, withLook } from "../core/edits";
import { FIELD, portTop, type Row } from "../core/sizes";
import { typeOfStep, useCatalogue } from "../state/catalogue";
import { useCheck } from "../state/check";
import { useDifference } from "../state/compare";
import { shapeOfStep, showsPicture } from "../state/geometry";
import { useRuns } from "../state/runs";
import { edit, enter, graphOf, useTab } from "../state/session";
import { said, t } from "../text";
import { NODE_COLOURS } from "../ui/colours";
import { Icon } from "../ui/Icon";
import { Field } from "../widgets/Field";
import { isText, openFieldMenu } from "./fieldMenu";
import { NodePicture } from "./NodePicture";
import { NodeStatus } from "./NodeStatus";
import { Port } from "./Port";

/** One node, drawn from its type alone. It is drawn again when its own step, look or run changes, and never else. */
export const NodeView = memo(function NodeView({ id, selected }: NodeProps) {
  const step = useTab((tab) => graphOf(tab).nodes[id]);
  return step ? <Known id={id} step={step} selected={selected === true} /> : null;
});

function Known({ id, step, selected }: { id: string; step: Step; selected: boolean }) {
  useCatalogue((s) => s.types);
  const look = useTab((tab) => graphOf(tab).layout?.looks?.[id]);
  const type = useTab((tab) => typeOfStep(step, tab.history.present));
  const run = useTab((tab) => tab.job);
  const key = useTab((tab) => [...tab.path, id].join("/"));
  const live = useRuns((s) => run !== null && s.jobs[run]?.nodes[key]?.preview !== undefined);
  const state = useRuns((s) => (run === null ? undefined : s.jobs[run]?.nodes[key]?.state));
  const planned = useCheck((s) => s.plan[key]?.state);
  const preview = showsPicture(type, look, live);
  const shape = useTab((tab) => shapeOfStep(step, look, tab.history.present, preview));
  const differs = useDifference((d) => (d?.added.includes(id) ? "added" : d && id in d.changed ? "changed" : ""));
  const inside = useTab((tab) => tab.path.length > 0);
  const exposed = useTab((tab) => exposedPorts(graphOf(tab), id).join(" "));
  const troubled = useCheck((s) => s.problems.some((p) => p.node === key));
  const kept = (planned === "memory" || planned === "disk") && state !== "running";
  const title = look?.title || type.title;
  const hue = look?.colour === undefined ? undefined : NODE_COLOURS[look.colour];
  const states = [
    selected && "selected",
    kept && "kept",
    planned === "unneeded" && "unneeded",
    step.mode ?? (planned === "still" && "still"),
    troubled && "troubled",
    state === "running" && "running",
    state === "failed" && "failed",
    !type.known && "unknown",
    look?.collapsed && "collapsed",
    differs,
    hue !== undefined && "tinted",
  ];
  return (
    <div
      className={`node ${states.filter(Boolean).join(" ")}`}
      style={{ height: shape.height, ...(hue !== undefined && { "--hue": hue }) } as React.CSSProperties}
    >
      <div className="node-head">
        <button
          type="button"
          className="node-fold nodrag"
          aria-expanded={look?.collapsed !== true}
          aria-label={look?.collapsed ? t.node.expand : t.node.collapse}
          onClick={() =>
            edit(t.edits.collapse, (graph) => withLook(graph, [id], { collapsed: look?.collapsed ? undefined : true }))
          }
        >
          <Icon name={look?.collapsed ? "right" : "chevron"} size={12} />
        </button>
        <span className="node-title" title={type.known ? `${type.title}: ${type.doc}` : t.node.missing}>
          {title}
        </span>
        {step.type.startsWith("#") && (
          <button
            type="button"
            className="node-tool nodrag"
            aria-label={t.node.enter}
            title={t.node.enter}
            onClick={() => enter(id)}
          >
            <Icon name="enter" size={13} />
          </button>
        )}
        <NodeStatus id={key} planned={planned} mode={step.mode} />
      </div>
      {shape.rows.map((row) => (
        <RowView
          key={`${row.input?.name}>${row.output?.name}`}
          id={id}
          problemKey={key}
          step={step}
          type={type}
          row={row}
          exposed={exposed.split(" ").includes(row.input?.name ?? "")}
          inside={inside}
        />
      ))}
      {shape.folds && !look?.collapsed && (
        <button
          type="button"
          className="node-more nodrag"
          style={{ top: shape.foldTop }}
          aria-expanded={shape.folded === 0}
          onClick={() =>
            edit(t.edits.look, (graph) => withLook(graph, [id], { unfolded: look?.unfolded ? undefined : true }))
          }
        >
          {shape.folded > 0 ? t.node.more(shape.folded) : t.node.fewer}
        </button>
      )}
      {preview && <NodePicture id={id} runKey={key} type={type} title={title} top={shape.previewTop} />}
    </div>
  );
}

interface RowProps {
  readonly id: string;
  readonly problemKey: string;
  readonly step: Step;
  readonly type: NodeType;
  readonly row: Row;
  readonly exposed: boolean;
  /** Whether this is the graph of a subgraph. */
  readonly inside: boolean;
}

function RowView({ id, problemKey, step, row, type, exposed, inside }: RowProps) {
  const { input, output } = row;
  const value = input && step.inputs?.[input.name];
  const links = linksOf(value);
  // inside a subgraph what is exposed is fed by the instance, so a value here would not count
  const outside = inside && exposed;
  const fed = links.length > 0 || outside;
  const problems = useCheck(
    useShallow((s) =>
      input === undefined
        ? []
        : s.problems
            .filter((p) => p.node === problemKey && p.port === input.name)
            .map((p) => said(p.message, p.code).text),
    ),
  );
  const y = portTop(row);
  const shown = row.field || (input?.widget === null && row.height > 0 && row.top > 0) || output !== undefined;
  return (
    <>
      {input && (
        <Port
          node={id}
          name={input.name}
          type={input.type}
          side="target"
          top={y}
          linked={links.length > 0}
          required={input.required}
          label={`${t.node.input(input.title, input.type)}${links[0] ? `, ${t.node.from(links.map((l) => l.$from).join(", "))}` : ""}`}
        />
      )}
      {output && (
        <Port
          node={id}
          name={output.name}
          type={output.type}
          side="source"
          top={y}
          linked
          required
          label={t.node.output(output.title, output.type)}
        />
      )}
      {shown && row.top > 0 && (
        // biome-ignore lint/a11y/noStaticElementInteractions: the menu key opens it on the field that has the focus
        <div
          className={`row ${problems.length > 0 ? "wrong" : ""}`}
          style={{ top: row.top, height: row.height }}
          onContextMenu={(event) => {
            if (!input || !row.field || fed || isText(event.target)) return;
            event.preventDefault();
            const focusable = event.currentTarget.querySelector<HTMLElement>("input, button, textarea");
            openFieldMenu(focusable ?? event.currentTarget, { node: id, port: input.name }, input, value);
          }}
        >
          {input && (!row.field || fed) && (
            <span className={row.field ? "row-fed" : "row-in"} title={input.doc}>
              {input.title}
              {row.field && (
                <span className="quiet">{outside ? t.node.outside : links.map((l) => l.$from).join(", ")}</span>
              )}
            </span>
          )}
          {input && row.field && !fed && (
            <ValueField id={id} name={input.name} type={type} value={value as Json | undefined} />
          )}
          {output && (
            <span className="row-out" title={output.doc}>
              {output.title}
            </span>
          )}
          {exposed && <span className="row-exposed" title={t.node.exposed} />}
          {problems.length > 0 && (
            <span
              className="row-problem"
              title={problems.join("\n")}
              style={{ top: (row.field ? FIELD : row.height) / 2 }}
            >
              <span className="unseen">{problems.join(". ")}</span>!
            </span>
          )}
        </div>
      )}
    </>
  );
}

interface ValueProps {
  readonly id: string;
  readonly name: string;
  readonly type: NodeType;
  readonly value: Json | undefined;
}

function ValueField({ id, name, type, value }: ValueProps) {
  const input = type.inputs.find((i) => i.name === name);
  if (!input) return null;
  const place: End = { node: id, port: name };
  return (
    <Field
      input={input}
      value={value === undefined ? input.default : value}
      place={place}
      onChange={(next) => edit(t.edits.value, (graph) => setValue(graph, place, next), `${id}.${name}`)}
    />
  );
}
