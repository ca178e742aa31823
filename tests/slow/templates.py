"""How much of ComfyUI's templates is carried, and which classes keep the others from it.

    python tests/slow/templates.py FOLDER

FOLDER is where the wheel of `comfyui-workflow-templates` was unpacked (`pip download --no-deps`, then `unzip`). A node
is carried if it is no placeholder; those inside a subgraph count once for each use. Workflows with a node for films,
sound, solid shapes or services on the network are counted apart.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter, defaultdict
from pathlib import Path

from nodegraph import Registry
from nodegraph.interop import open_document
from nodegraph.interop.scopes import is_canvas

ELSEWHERE = re.compile("films are not made|sound is not made|solid shapes are not made|asks a service")


def main(folder: Path) -> None:
    registry = Registry.installed()
    whole: Counter[tuple[str, bool]] = Counter()
    nodes: Counter[tuple[str, str]] = Counter()
    blocked: Counter[str] = Counter()
    alone: dict[str, list[str]] = defaultdict(list)
    why: dict[str, str] = {}
    for path in sorted(folder.rglob("*.json")):
        data = path.read_bytes()
        if not is_canvas(json.loads(data)):
            continue
        opened = open_document(data, registry)
        lost = [re.match(r"(?:node \S+: )?(.+?) is kept as a placeholder: (.*)", note.message)
                for note in opened.notes if note.code == "not_carried"]  # fmt: skip
        kept = [(found[1], found[2]) for found in lost if found is not None]
        kinds = ["all"] if any(ELSEWHERE.search(reason) for _, reason in kept) else ["all", "pictures"]
        graphs = [opened.workflow, *opened.workflow.definitions.values()]
        count = sum(1 for graph in graphs for step in graph.nodes.values() if not step.type.startswith("#"))
        for kind in kinds:
            whole[kind, not kept] += 1
            nodes[kind, "all"] += count
            nodes[kind, "kept"] += len(kept)
        if "pictures" in kinds:
            why |= dict(kept)
            for name in {name for name, _ in kept}:
                blocked[name] += 1
                alone[name] += [path.stem] if len({name for name, _ in kept}) == 1 else []
    for kind in ("all", "pictures"):
        total, count = whole[kind, True] + whole[kind, False], nodes[kind, "all"]
        carried = count - nodes[kind, "kept"]
        print(f"{kind:9} {whole[kind, True]} of {total} wholly carried, {carried} of {count} nodes")
    print("\nclasses that keep workflows for pictures from it: in how many, in how many they are the only one")
    for name, number in blocked.most_common():
        print(f"{number:3} {len(alone[name]):3}  {name}: {why[name]} {' '.join(alone[name])}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
