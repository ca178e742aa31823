"""A typed node graph engine for latent-diffusion workflows. It knows no tensor library.

Declare nodes with `node`, `Context`, `Lazy`, `Widget`, `Choices`, `coercion` and `Pack`; run documents with `Engine`;
write them in Python with `compose`.
"""

from .carrier import PICTURES, carry
from .compose import compose
from .context import Cancelled, Context, Folders, Lazy, NodeError, Report, Resource
from .engine import Engine, Planned, Result
from .executor import Run, RunFailed
from .facts import Fact, Facts, Known
from .node import MAX_INT, Choices, Node, Widget, choices, node
from .pack import Pack, Registry
from .pictures import MAX_PIXELS, open_picture
from .problems import InvalidWorkflow, Problem
from .types import coercion
from .workflow import Workflow

__version__ = "0.1.0"
__all__ = [
    "MAX_INT", "MAX_PIXELS", "PICTURES", "Cancelled", "Choices", "Context", "Engine", "Fact", "Facts", "Folders",
    "InvalidWorkflow", "Known", "Lazy", "Node", "NodeError", "Pack", "Planned", "Problem", "Registry", "Report",
    "Resource", "Result", "Run", "RunFailed", "Widget", "Workflow", "carry", "choices", "coercion", "compose", "node",
    "open_picture",
]  # fmt: skip
