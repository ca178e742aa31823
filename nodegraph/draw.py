"""A workflow as a picture of its graph, for notebooks: nodes in columns from left to right, in SVG."""

from __future__ import annotations

from html import escape

from .workflow import Workflow

WIDTH, ROW, GAP, PAD = 170, 18, 60, 14


def svg(workflow: Workflow) -> str:
    """The graph of `workflow` as an SVG element."""
    import networkx

    graph: networkx.DiGraph[str] = networkx.DiGraph()
    graph.add_nodes_from(workflow.nodes)
    for id, step in workflow.nodes.items():
        graph.add_edges_from((link.node, id) for _, link in step.links() if link.node in workflow.nodes)
    if not networkx.is_directed_acyclic_graph(graph):
        return "<p>This workflow has a cycle, so it cannot be drawn from left to right.</p>"
    outputs: dict[str, list[str]] = {id: [] for id in workflow.nodes}
    links = [link for step in workflow.nodes.values() for _, link in step.links()]
    for link in [*links, *workflow.outputs.values()]:
        if link.port not in outputs.setdefault(link.node, []):
            outputs[link.node].append(link.port)
    at: dict[str, tuple[int, int]] = {}
    width = height = 0
    for column, ids in enumerate(networkx.topological_generations(graph)):
        y = PAD
        for id in sorted(ids, key=list(workflow.nodes).index):
            at[id] = (PAD + column * (WIDTH + GAP), y)
            y += _height(workflow, id, outputs) + PAD
        width, height = PAD * 2 + column * (WIDTH + GAP) + WIDTH, max(height, y)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" font-size="11"'
        f' font-family="system-ui, sans-serif" role="img"><title>{escape(workflow.name or "Workflow")}</title>'
    ]
    for id, step in workflow.nodes.items():
        for name, link in step.links():
            if link.node in at:
                parts.append(_curve(workflow, at, outputs, id, name, link.node, link.port))
    parts += [_box(workflow, id, at[id], outputs) for id in workflow.nodes]
    return "".join(parts) + "</svg>"


def _height(workflow: Workflow, id: str, outputs: dict[str, list[str]]) -> int:
    return ROW * (1 + max(len(workflow.nodes[id].inputs), len(outputs[id]))) + 8


def _curve(
    workflow: Workflow, at: dict[str, tuple[int, int]], outputs: dict[str, list[str]],
    id: str, name: str, source: str, port: str,
) -> str:  # fmt: skip
    x1, y1 = at[source][0] + WIDTH, at[source][1] + ROW * (1 + outputs[source].index(port)) + ROW // 2 + 4
    x2, y2 = at[id][0], at[id][1] + ROW * (1 + list(workflow.nodes[id].inputs).index(name)) + ROW // 2 + 4
    bend = max(30, (x2 - x1) // 2)
    path = f"M{x1} {y1} C{x1 + bend} {y1} {x2 - bend} {y2} {x2} {y2}"
    return f'<path d="{path}" fill="none" stroke="#6b8cce" stroke-width="1.5"/>'


def _box(workflow: Workflow, id: str, at: tuple[int, int], outputs: dict[str, list[str]]) -> str:
    x, y = at
    step = workflow.nodes[id]
    title = f"{id} · {step.type.partition('@')[0]}" if id != step.type.lower() else id
    rows = [
        f'<rect x="{x}" y="{y}" width="{WIDTH}" height="{_height(workflow, id, outputs)}" rx="6" fill="#f6f7fb"'
        f' stroke="#9aa4b8"/><text x="{x + 8}" y="{y + 15}" font-weight="600" fill="#1c2333">{escape(title)}</text>'
    ]
    for row, (name, value) in enumerate(step.inputs.items(), 1):
        linked = any(n == name for n, _ in step.links())
        text = name if linked else f"{name}: {value}"
        text = text if len(text) <= 20 else text[:19] + "…"
        rows.append(f'<text x="{x + 8}" y="{y + ROW * row + 17}" fill="#3c465a">{escape(text)}</text>')
    for row, name in enumerate(outputs[id], 1):
        rows.append(
            f'<text x="{x + WIDTH - 8}" y="{y + ROW * row + 17}" text-anchor="end" fill="#3c465a">{escape(name)}</text>'
        )
    return "".join(rows)
