"""How much memory a call will take beside weights, from what is known before it runs."""

from __future__ import annotations

from nodegraph import Facts, Known

from .checkpoint.memory import decoded


def sampling(known: Known) -> None:
    """Of Sample: one call of the denoiser, with positive and negative prompt at once where the family asks so."""
    model, latent = known["model"], known["latent"]
    cell, per_cell, batch = model.size("cell"), model.size("bytes per cell"), latent.size("batch")
    sides = latent.size("width"), latent.size("height")
    if cell is None or per_cell is None or batch is None or None in sides:
        return
    tile = known.count("tile") or 0
    width, height = (min(side, tile) if tile else side for side in sides if side is not None)
    cells = -(-width // cell) * -(-height // cell)
    both = "negative" in known and known.value("cfg") != 1 and bool(model.get("two at once"))
    known.needs(batch * (1 + both) * (cells * per_cell + (model.size("bytes of a prompt") or 0)))


def coding(known: Known, picture: Facts) -> None:
    """Of Decode and EncodeImage: one picture at a time, in tiles where it is large."""
    vae = known["vae"]
    told = (vae.size("numbers per pixel"), vae.size("bytes of a number"), picture.size("width"), picture.size("height"),
            vae.size("cell"))  # fmt: skip
    if all(each is not None for each in told):
        known.needs(decoded(*(each or 0 for each in told)))
