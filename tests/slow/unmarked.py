"""10,000 pictures without a watermark: none may be read as marked. Takes some minutes: `make slow`."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from nodegraph_diffusion import qim
from pack.test_watermark import unmarked

COUNT = 10_000


def main() -> int:
    certain, wrong, highest = 0, 0, 0.0
    for seed in range(COUNT):
        reading = qim.read(unmarked(seed), f"key {seed % 7}")
        wrong += bool(reading.text)
        certain += reading.certainty >= qim.CERTAIN
        highest = max(highest, reading.certainty)
    print(f"{COUNT} unmarked pictures: {wrong} false readings, {certain} taken for marked before their CRC was read")
    print(f"the highest certainty was {highest:.2f}; {qim.CERTAIN} is asked for")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
