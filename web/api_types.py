"""The types of the API for TypeScript, from the server's own declarations.

`python web/api_types.py` writes `src/api/types.gen.ts`; with `--check` it says whether that file is as it would be.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

from nodegraph.server.app import MODULES
from nodegraph.server.openapi import describe
from nodegraph.server.routing import collect

FILE = Path(__file__).parent / "src" / "api" / "types.gen.ts"
HEAD = """/** Made by `make types` from the server's declarations. Do not edit. */

import type { Json } from "../core/document";

"""
OWN = {"JsonValue": "Json"}
"""What the editor has a type of its own for."""
PLAIN = {"string": "string", "integer": "number", "number": "number", "boolean": "boolean", "null": "null"}


def main() -> int:
    text = written()
    if "--check" not in sys.argv[1:]:
        FILE.write_text(text, encoding="utf-8")
    elif not FILE.is_file() or FILE.read_text(encoding="utf-8") != text:
        sys.stderr.write(f"{FILE.name} is not what the server declares; run: make types\n")
        return 1
    return 0


def written() -> str:
    schemas = describe(collect(MODULES))["components"]["schemas"]
    return HEAD + "\n".join(_declared(name, schema) for name, schema in schemas.items() if name not in OWN)


def _declared(name: str, schema: dict[str, Any]) -> str:
    doc = f"/** {' '.join(schema['description'].split())} */\n" if "description" in schema else ""
    return f"{doc}export type {name} = {_type(schema, '')};\n"


def _type(schema: dict[str, Any], pad: str) -> str:
    if "$ref" in schema:
        name: str = schema["$ref"].rpartition("/")[2]
        return OWN.get(name, name)
    if "enum" in schema or "const" in schema:
        return " | ".join(json.dumps(v) for v in schema.get("enum", [schema.get("const")]))
    if "anyOf" in schema:
        return " | ".join(dict.fromkeys(_type(s, pad) for s in schema["anyOf"]))
    kind = schema.get("type")
    if kind == "array":
        item = _type(schema["items"], pad)
        return f"readonly ({item})[]" if " " in item else f"readonly {item}[]"
    if kind == "object":
        return _object(schema, pad)
    return PLAIN.get(str(kind), "Json")


def _object(schema: dict[str, Any], pad: str) -> str:
    if "properties" not in schema:
        return f"Readonly<Record<string, {_type(schema.get('additionalProperties', {}), pad)}>>"
    required = schema.get("required", [])
    lines = []
    for name, inner in schema["properties"].items():
        if "description" in inner:
            lines.append(f"{pad}  /** {' '.join(inner['description'].split())} */\n")
        key = name if re.fullmatch(r"[A-Za-z_]\w*", name) else json.dumps(name)
        mark = "" if name in required else "?"
        lines.append(f"{pad}  readonly {key}{mark}: {_type(inner, pad + '  ')};\n")
    return "{\n" + "".join(lines) + pad + "}"


if __name__ == "__main__":
    sys.exit(main())
