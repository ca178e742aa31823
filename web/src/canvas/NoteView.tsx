import { type NodeProps, NodeResizeControl } from "@xyflow/react";
import { memo } from "react";
import type { Group, Note } from "../core/document";
import { changeGroup, changeNote } from "../core/edits";
import { edit } from "../state/session";
import { t } from "../text";
import { NODE_COLOURS } from "../ui/colours";

export const NoteView = memo(function NoteView({ data, selected }: NodeProps) {
  const note = data.item as Note;
  const hue = note.colour === undefined ? undefined : NODE_COLOURS[note.colour];
  return (
    <div
      className={`note ${selected ? "selected" : ""}`}
      style={hue === undefined ? undefined : ({ "--hue": hue } as React.CSSProperties)}
    >
      <div className="note-grip" />
      <textarea
        className="nodrag nowheel"
        aria-label={t.canvas.note}
        value={note.text}
        placeholder={t.canvas.note}
        onChange={(event) =>
          edit(t.edits.note, (graph) => changeNote(graph, note.id, { text: event.target.value }), `note ${note.id}`)
        }
      />
      {selected && (
        <Resize
          onEnd={(width, height, x, y) =>
            edit(t.edits.note, (g) => changeNote(g, note.id, { size: [width, height], at: [x, y] }))
          }
        />
      )}
    </div>
  );
});

export const GroupView = memo(function GroupView({ data, selected }: NodeProps) {
  const group = data.item as Group;
  const hue = group.colour === undefined ? undefined : NODE_COLOURS[group.colour];
  return (
    <div
      className={`group ${selected ? "selected" : ""}`}
      style={hue === undefined ? undefined : ({ "--hue": hue } as React.CSSProperties)}
    >
      <input
        className="nodrag"
        type="text"
        aria-label={t.canvas.group}
        value={group.title}
        placeholder={t.canvas.group}
        onChange={(event) =>
          edit(
            t.edits.group,
            (graph) => changeGroup(graph, group.id, { title: event.target.value }),
            `group ${group.id}`,
          )
        }
      />
      {selected && (
        <Resize
          onEnd={(width, height, x, y) =>
            edit(t.edits.group, (g) => changeGroup(g, group.id, { size: [width, height], at: [x, y] }))
          }
        />
      )}
    </div>
  );
});

function Resize({ onEnd }: { onEnd: (width: number, height: number, x: number, y: number) => void }) {
  return (
    <NodeResizeControl
      className="resize"
      minWidth={120}
      minHeight={60}
      onResizeEnd={(_, { width, height, x, y }) =>
        onEnd(Math.round(width), Math.round(height), Math.round(x), Math.round(y))
      }
    />
  );
}
