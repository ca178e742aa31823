"""Clients that nobody here wrote, from PyPI, as programs of their own against the shipped model."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

from interop.wirings import IMG2IMG, Prompt
from server.comfy.test_wire import picture, seeded
from server.service import Service


def run(script: str, service: Service, prompt: Prompt, folder: Path) -> str:
    """What a program prints that is given the address, a prompt and a folder."""
    file = folder / "prompt.json"
    file.write_text(json.dumps(prompt))
    address = f"{service.host}:{service.port}"
    made = subprocess.run(
        [sys.executable, "-c", script, address, str(file)],
        cwd=folder, capture_output=True, text=True, timeout=110, check=False,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    return made.stdout


SIMPLIFIED = """
import sys
from comfy_api_simplified import ComfyApiWrapper, ComfyWorkflowWrapper
api = ComfyApiWrapper(f"http://{sys.argv[1]}/")
sent = api.upload_image("in.png")
flow = ComfyWorkflowWrapper(sys.argv[2])
flow.set_node_param("LoadImage", "image", f"{sent['subfolder']}/{sent['name']}")
for name, data in api.queue_and_wait_images(flow, "SaveImage").items():
    print(name, data[:4] == b"\\x89PNG")
print(api.get_system_stats()["devices"][0]["type"], "euler" in str(api.get_object_info("KSampler")))
"""


def test_comfy_api_simplified_uploads_runs_and_fetches(service: Service, tmp_path: Path) -> None:
    (tmp_path / "in.png").write_bytes(picture("orange"))
    prompt = seeded(21, 3, IMG2IMG)
    prompt["14"]["inputs"]["ckpt_name"] = "demo"
    for each in prompt.values():
        each["_meta"] = {"title": each["class_type"]}
    first, second = run(SIMPLIFIED, service, prompt, tmp_path).splitlines()
    assert re.fullmatch(r"ComfyUI_\d{5}_\.png True", first)
    assert second == "cpu True"


COMFYAPI = """
import json, sys
from comfyapi import ComfyAPIManager
api = ComfyAPIManager()
api.set_base_url(f"http://{sys.argv[1]}")
api.load_workflow(sys.argv[2])
api.edit_workflow(["3", "inputs", "seed"], 33)
id = api.submit_workflow()
name, url = api.wait_for_finish(id, poll_interval=0.2)
print("file", api.download_output(url, save_path=".", filename="out.png"))
"""


def test_comfyapi_polls_and_downloads(service: Service, tmp_path: Path) -> None:
    assert "file" in run(COMFYAPI, service, seeded(22), tmp_path)
    assert (tmp_path / "out.png").read_bytes().startswith(b"\x89PNG")


UTILS = """
import asyncio, json, sys
from comfyui_utils import comfy
class Calls(comfy.Callbacks):
    steps = set()
    async def queue_position(self, position): print("position")
    async def in_progress(self, node_id, progress, total): self.steps.add(node_id)
    async def completed(self, outputs, cached): self.outputs = outputs
async def main():
    api, calls = comfy.ComfyAPI(sys.argv[1]), Calls()
    await api.submit(json.load(open(sys.argv[2])), calls)
    async def keep(file): print("fetched", file.read(4))
    await api.fetch(calls.outputs["images"][0], keep)
    print("steps", 3 in calls.steps)
asyncio.run(main())
"""


def test_comfyui_utils_follows_progress(service: Service, tmp_path: Path) -> None:
    lines = run(UTILS, service, seeded(23, 120), tmp_path).splitlines()
    assert "fetched b'\\x89PNG'" in lines
    assert lines[-1] == "steps True"
