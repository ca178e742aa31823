from __future__ import annotations

import datetime
import importlib.util
import json
import sys
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from PIL import Image as Pillow

from nodegraph import Folders, NodeError
from nodegraph.carrier import read_document
from nodegraph.standalone import Standalone
from nodegraph_diffusion.credentials import read_credentials, save_signed
from samples import noise

INSTALLED = importlib.util.find_spec("c2pa") is not None
needs_c2pa = pytest.mark.skipif(not INSTALLED, reason="c2pa-python is not installed")
DOCUMENT = '{"nodes": {}}'


@pytest.fixture(scope="module")
def holder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a certificate for signing, its key, and the authority above it; and another authority."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    folder = tmp_path_factory.mktemp("holder")
    now = datetime.datetime.now(datetime.UTC)

    def named(name: str) -> x509.Name:
        pairs = [(NameOID.COMMON_NAME, name), (NameOID.ORGANIZATION_NAME, "Test Studio")]
        return x509.Name([x509.NameAttribute(*pair) for pair in pairs])

    def usage(*, signs: bool) -> x509.KeyUsage:
        return x509.KeyUsage(not signs, False, False, False, False, signs, False, False, False)

    def certificate(name: str, key: ec.EllipticCurvePrivateKey, above: str, by: ec.EllipticCurvePrivateKey) -> bytes:
        authority = name == above
        made = (
            x509.CertificateBuilder(named(above), named(name), key.public_key(), x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=9))
            .add_extension(x509.BasicConstraints(authority, None), critical=True)
            .add_extension(usage(signs=authority), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(by.public_key()), critical=False)
        )
        if not authority:
            made = made.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False)
        return made.sign(by, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    top, leaf, other = (ec.generate_private_key(ec.SECP256R1()) for _ in range(3))
    above = certificate("Above", top, "Above", top)
    (folder / "above.pem").write_bytes(above)
    (folder / "other.pem").write_bytes(certificate("Other", other, "Other", other))
    (folder / "chain.pem").write_bytes(certificate("Painter", leaf, "Above", top) + above)
    for name, key in (("key.pem", leaf), ("wrong.pem", other)):
        form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        (folder / name).write_bytes(key.private_bytes(serialization.Encoding.PEM, *form))
    return folder


def sign(holder: Path, folder: Path, format: Literal["png", "jpeg", "webp"] = "png", key: str = "key.pem") -> Path:
    context = Standalone("save", Folders(output=folder), DOCUMENT)
    save_signed.fn(context, noise(32, 48), holder / "chain.pem", holder / key, format=format)
    (file,) = folder.iterdir()
    return file


@needs_c2pa
@pytest.mark.parametrize("format", ["png", "jpeg", "webp"])
def test_a_signed_picture_says_who_signed_it_and_keeps_its_workflow(
    holder: Path, tmp_path: Path, format: Literal["png", "jpeg", "webp"]
) -> None:
    file = sign(holder, tmp_path, format)
    state, signer, claims = read_credentials(file)
    assert (state, signer) == ("valid", "Painter, Test Studio")
    assert claims == "c2pa.created trainedAlgorithmicMedia"
    assert read_credentials(file, holder / "above.pem").state == "trusted"
    assert read_credentials(file, holder / "other.pem").state in ("valid", "invalid")
    assert json.loads(read_document(file)) == json.loads(DOCUMENT)
    if format == "png":
        with Pillow.open(file) as picture:
            assert np.array_equal(np.asarray(picture), noise(32, 48).to_bytes()[0])


@needs_c2pa
def test_a_changed_file_is_invalid(holder: Path, tmp_path: Path) -> None:
    file = sign(holder, tmp_path)
    data = bytearray(file.read_bytes())
    at = data.find(b"IDAT") + 60
    data[at] ^= 1
    (changed := tmp_path / "changed.png").write_bytes(data)
    assert read_credentials(changed).state == "invalid"


@needs_c2pa
def test_a_picture_without_credentials_has_none(tmp_path: Path) -> None:
    (plain := tmp_path / "plain.png").write_bytes(noise(8, 8)._repr_png_())
    assert read_credentials(plain) == ("none", "", "")


@needs_c2pa
def test_a_key_of_another_certificate_is_refused(holder: Path, tmp_path: Path) -> None:
    with pytest.raises(NodeError, match=r"cannot sign with 'chain\.pem' and 'wrong\.pem'") as caught:
        sign(holder, tmp_path, key="wrong.pem")
    assert caught.value.port == "certificate"
    assert list(tmp_path.iterdir()) == []


def test_without_the_library_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "c2pa", None)
    with pytest.raises(NodeError, match=r"pip install 'nodegraph\[credentials\]'"):
        read_credentials(tmp_path / "picture.png")
