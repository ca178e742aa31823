"""Whether pictures are of a size that can be worked on, or that go together."""

from __future__ import annotations

from nodegraph import MAX_PIXELS, Fact, NodeError


def check_size(width: int, height: int, batch: int = 1, port: str | None = None) -> None:
    """Raises `NodeError` where a picture to be made has no pixels or more than memory is planned for."""
    if width < 1 or height < 1:
        raise NodeError(f"the picture would be {width} x {height} pixels; make it at least 1 x 1", port)
    if width * height * batch > MAX_PIXELS:
        many = f"{batch} pictures of {width:,} x {height:,}" if batch > 1 else f"a picture of {width:,} x {height:,}"
        raise NodeError(f"{many} pixels would be too large; at most {MAX_PIXELS:,} pixels in all are made", port)


def common_batch(*given: tuple[str, int]) -> int:
    """The number of pictures that batches named in `given` make together: one goes with any number.

    Raises:
        NodeError: Two batches have different numbers other than 1.
    """
    batch = max(n for _, n in given)
    for name, n in given:
        if n not in (1, batch):
            counts = ", ".join(f"{name} has {n}" for name, n in given)
            raise NodeError(f"batches that meet need 1 picture or equal numbers, but {counts}", name)
    return batch


def goes_with(one: Fact, other: Fact) -> bool:
    """Whether batches of these numbers go together."""
    return one == other or 1 in (one, other)
