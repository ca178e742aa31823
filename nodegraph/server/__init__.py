"""The service: jobs, workflows and results over HTTP, and the editor. Torch is only ever loaded by its workers."""

from __future__ import annotations
