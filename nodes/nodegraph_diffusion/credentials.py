"""Content credentials (C2PA): a signature in a picture that says who vouches for it and how it was made."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

from nodegraph import Context, NodeError, Widget, node

from .params import Quality
from .save_image import SUFFIXES, encoded
from .values import Image

if TYPE_CHECKING:
    from types import ModuleType

MIME = {"png": "image/png", "jpeg": "image/jpeg", "webp": "image/webp"}
IPTC = "http://cv.iptc.org/newscodes/digitalsourcetype/"
SOURCES = {
    "generated": ("c2pa.created", f"{IPTC}trainedAlgorithmicMedia"),
    "changed": ("c2pa.edited", f"{IPTC}compositeWithTrainedAlgorithmicMedia"),
}
OFFLINE = {"remote_manifest_fetch": False, "ocsp_fetch": False}
Pem = Annotated[Path, Widget("file", suffix=".pem")]


class Credentials(NamedTuple):
    state: str
    signer: str
    claims: str


@node(version=1, lane="io", pure=False, category="provenance")
def save_signed(
    ctx: Context,
    image: Image,
    certificate: Pem,
    key: Pem,
    made: Literal["generated", "changed"] = "generated",
    name: str = "picture",
    format: Literal["png", "jpeg", "webp"] = "png",
    quality: Quality = 92,
    lossless: bool = False,
    algorithm: Literal["es256", "es384", "es512", "ps256", "ps384", "ps512", "ed25519"] = "es256",
) -> None:
    """Save every picture of a batch with content credentials (C2PA), signed with a certificate of your own.

    Needs `nodegraph[credentials]`. The files carry this workflow as those of SaveImage do, and the signature covers it.
    Nothing is sent anywhere, so the time of signing is not attested.

    Args:
        image: A picture, or a batch of them.
        certificate: Your certificate and those above it, in PEM. It must not be signed by itself and must be meant for
            signing documents or mail.
        key: Its private key, in PEM.
        made: What the credentials say: that a model made the picture, or that it changed one.
        name: What the files are called, before their number.
        format: PNG is exact; JPEG and WebP are smaller.
        quality: Of JPEG, and of WebP unless it is lossless.
        lossless: Whether a WebP is exact.
        algorithm: That of the key.
    """
    c2pa = _library("certificate")
    settings = {"builder": {"thumbnail": {"enabled": False}}}  # a thumbnail is forty times as large as the rest
    action, source = SOURCES[made]
    manifest = {
        "claim_generator_info": [{"name": "nodegraph"}],
        "title": name,
        "assertions": [
            {"label": "c2pa.actions", "data": {"actions": [{"action": action, "digitalSourceType": source}]}}
        ],
    }
    pictures = image.to_bytes()
    for number, pixels in enumerate(pictures, 1):
        data, file = encoded(pixels, ctx.document, format, quality, lossless), io.BytesIO()
        try:
            info = c2pa.C2paSignerInfo(algorithm, certificate.read_bytes(), key.read_bytes(), None)
            with c2pa.Signer.from_info(info) as signer, c2pa.Context.from_dict(settings) as context:
                c2pa.Builder(json.dumps(manifest), context).sign(signer, MIME[format], io.BytesIO(data), file)
        except c2pa.C2paError as error:
            message = f"cannot sign with {certificate.name!r} and {key.name!r} ({error})"
            hint = "give a certificate for signing, those above it, and its key of that algorithm"
            raise NodeError(f"{message}; {hint}", "certificate") from error
        ctx.save(name, SUFFIXES[format], file.getvalue())
        ctx.progress(number, len(pictures))


@node(version=1, lane="io", category="provenance")
def read_credentials(
    file: Annotated[Path, Widget("image")], trusted: Annotated[Path | None, Widget("file", suffix=".pem")] = None
) -> Credentials:
    """Check the content credentials (C2PA) of a picture file. Needs `nodegraph[credentials]`.

    Args:
        file: The file itself: credentials are about bytes, so they end with the first change.
        trusted: Certificates, in PEM, whose holders you trust. Without any, a good signature is "valid" whoever made
            it.
    Returns:
        state: "trusted", "valid", "invalid" (changed since, or signed badly) or "none".
        signer: Who signed it, by the certificate.
        claims: What is said about how the picture was made, one in a line.
    """
    c2pa = _library("file")
    settings: dict[str, Any] = {"verify": {**OFFLINE, "verify_trust": trusted is not None}}
    if trusted is not None:
        settings["trust"] = {"trust_anchors": trusted.read_text(encoding="utf-8")}
    try:
        with c2pa.Context.from_dict(settings) as context, c2pa.Reader(str(file), context=context) as reader:
            state, manifest = reader.get_validation_state(), reader.get_active_manifest() or {}
    except c2pa.C2paError.ManifestNotFound:
        return Credentials("none", "", "")
    except c2pa.C2paError as error:
        raise NodeError(f"{file.name!r} cannot be checked ({error}); give a picture", "file") from error
    told = manifest.get("signature_info", {})
    signer = ", ".join(told[name] for name in ("common_name", "issuer") if told.get(name))
    actions = [
        action
        for assertion in manifest.get("assertions", [])
        if assertion["label"].startswith("c2pa.actions")
        for action in assertion["data"]["actions"]
    ]
    claims = [
        f"{action['action']} {action.get('digitalSourceType', '').rpartition('/')[2]}".strip() for action in actions
    ]
    return Credentials(str(state).lower(), signer, "\n".join(claims))


def _library(port: str) -> ModuleType:
    try:
        import c2pa
    except ImportError as error:
        message = "content credentials need c2pa-python; run `pip install 'nodegraph[credentials]'`"
        raise NodeError(message, port) from error
    module: ModuleType = c2pa
    return module
