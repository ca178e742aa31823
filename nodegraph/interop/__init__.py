"""Other programs' files: ComfyUI's UI and API formats and A1111's lines to our document, and our document to ComfyUI.

`open_document` reads any file; `outward.export` writes a document in ComfyUI's API format. ComfyUI is under the GPL:
what is here was written from what its files and nodes do, and holds none of its code.
"""

from .opening import LARGEST, Opened, open_document, open_raw

__all__ = ["LARGEST", "Opened", "open_document", "open_raw"]
