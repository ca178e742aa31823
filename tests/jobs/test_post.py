from __future__ import annotations

import json
import os

from nodegraph.jobs.post import Post, lines


def test_a_preview_is_not_lost_to_the_next_report() -> None:
    read, write = os.pipe()
    post = Post(lines(os.fdopen(write, "wb")))
    with os.fdopen(read) as out:
        post.begin("a")
        post.progress("sample", {"node": "sample", "step": 1})  # sent at once; what follows waits for its time
        assert json.loads(out.readline())["progress"] == [{"node": "sample", "step": 1}]
        post.progress("sample", {"node": "sample", "step": 2, "preview": "data:,2"})
        post.progress("sample", {"node": "sample", "step": 3})
        assert json.loads(out.readline())["progress"] == [{"node": "sample", "step": 3, "preview": "data:,2"}]
