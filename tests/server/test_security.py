"""Attacks, one by one. `docs/server.md` has the table."""

from __future__ import annotations

import http.client
import json
import re
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness import link, step
from nodegraph import Engine, Folders, InvalidWorkflow, Registry
from nodegraph.jobs.documents import Documents
from nodegraph.server.access import GUESSES, Access, Unprotected, is_loopback, tokens_from
from nodegraph.server.errors import Refused
from nodegraph.server.webhooks import check_webhook, is_public
from server.pictures import png
from server.service import Answer, Service
from server.test_gallery import run, saving, send


@pytest.mark.parametrize("text", ["cut off", "PK\3\4 packed"])
def test_problems_of_files_do_not_say_where_they_lie(text: str, tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "bad.safetensors").write_text(text)
    folders = Folders(base=tmp_path / "uploads", output=tmp_path / "results", models=(tmp_path / "models",))
    documents = Documents(Engine(Registry.installed(), folders=folders), tmp_path / "uploads", tmp_path)
    workflow = documents.read({"nodes": {"model": step("LoadModel@1", source="bad.safetensors")}})
    with pytest.raises(InvalidWorkflow, match=r"model\.source: bad\.safetensors: .*safetensors file") as caught:
        documents.demand(workflow, ["model"])
    assert str(tmp_path) not in str(caught.value)


SECRET = "a file of this machine that is nobody's business"


def check(service: Service, *nodes: dict[str, Any], **rest: Any) -> list[dict[str, Any]]:
    document = {"nodes": {f"n{i}": node for i, node in enumerate(nodes)}, **rest}
    answer = service.post("/api/check", {"document": document})
    assert answer.status == 200, answer.body
    problems: list[dict[str, Any]] = answer.json["problems"]
    return problems


@pytest.mark.parametrize(
    "name",
    ["/etc/passwd", "../../../etc/passwd", "pictures/../../../etc/passwd", "uploads/../lock", "../nodegraph.db",
     "../uploads/../nodegraph.db", "~/x", "", ".", "C:\\x", "a\0b", "//host/share", "file:///etc/passwd",
     "0" * 32 + ".png"],
)  # fmt: skip
def test_a_document_reaches_no_file_but_uploads(service: Service, name: str) -> None:
    (service.data / "x.txt").write_text(SECRET)
    for node in (step("LoadImage@1", file=name), step("toy/Read@1", file=name)):
        (problem,) = check(service, node)
        assert (problem["code"], problem["port"]) == ("unknown_upload", "file")
        refused = service.post("/api/jobs", {"document": {"nodes": {"n": node}}})
        assert refused.status == 422
    given = service.post("/api/jobs", {"document": {"nodes": {"n": step("LoadImage@1")}}, "inputs": {"n.file": name}})
    assert given.status == 422


def test_a_definition_hides_no_file_from_the_gate(service: Service) -> None:
    inner = {"nodes": {"note": step("Text@1", text="x"), "read": step("toy/Read@1")}}
    exposed = {"x": {"to": ["note.text", "read.file"]}}
    definitions = {"d": {**inner, "inputs": exposed, "outputs": {"y": link("read.str")}}}
    (problem,) = check(service, step("#d", x="/etc/passwd"), definitions=definitions)
    assert problem["code"] == "unknown_upload"


@pytest.mark.parametrize("source", ["/etc", "../models", "demo/../../x", "nothing", "", "/proc/self/fd/3"])
def test_a_model_is_one_that_is_listed(service: Service, source: str) -> None:
    (problem,) = check(service, step("LoadModel@1", source=source))
    assert (problem["code"], problem["port"]) == ("unknown_choice", "source")


def test_a_default_of_a_choice_may_be_said(service: Service) -> None:
    assert check(service, step("LoadModel@1", source="demo", text_encoder_from="", vae_from="")) == []


def test_each_of_several_choices_is_one_of_the_list(service: Service) -> None:
    outside = check(service, step("LoadModel@1", source="demo", text_encoder_from="demo, /etc/passwd"))
    assert [(p["code"], p["port"]) for p in outside] == [("unknown_choice", "text_encoder_from")]
    assert "'/etc/passwd' is given" in outside[0]["message"]
    listed = check(service, step("LoadModel@1", source="demo", text_encoder_from="demo, demo"))
    assert "needed files with one text encoder each" in listed[0]["message"]


def test_a_model_is_not_named_by_a_link(service: Service) -> None:
    problems = check(service, step("Text@1", text="/etc"), step("LoadModel@1", source=link("n0.str")))
    assert [p["code"] for p in problems] == ["linked_choice"]


def test_a_bypassed_node_passes_nothing_by_the_gate(service: Service) -> None:
    note = {**step("Text@1", text="/etc"), "mode": "bypass"}
    (problem,) = check(service, note, step("LoadModel@1", source=link("n0.str")))
    assert (problem["code"], problem["node"]) == ("unknown_choice", "n1")


def test_a_pickled_model_is_refused(start: Callable[..., Service]) -> None:
    service = start()
    models = service.data / "models"
    models.mkdir()
    (models / "evil.ckpt").write_bytes(b"\x80\x04cos\nsystem\n(S'touch owned'\ntR.")
    listed = service.get("/api/choices/models").json["values"]
    problems = check(service, step("LoadModel@1", source="evil.ckpt"))
    assert problems
    assert "evil.ckpt" not in listed or "cannot be used" in listed["evil.ckpt"]
    assert not (service.data / "owned").exists()


@pytest.mark.parametrize(
    "path",
    ["/../../etc/passwd", "/..%2f..%2fetc%2fpasswd", "/%2e%2e/%2e%2e/etc/passwd", "/static/../app.py", "/app.py",
     "/api/uploads/..%2fnodegraph.db", "/api/uploads/%2e%2e%2fnodegraph.db", "/api/uploads/nodegraph.db",
     "/api/results/..%2f..%2fx/image", "/api/workflows/..%2fx", "/api/jobs/../queue/x", "/api/choices/..%2fx",
     "//etc/passwd", "/api/uploads/" + "0" * 32 + ".png%00.svg"],
)  # fmt: skip
def test_no_path_leads_out(service: Service, path: str) -> None:
    answer = service.get(path)
    assert answer.status == 404, answer.body
    assert answer.code == "not_found"


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8288", "localhost.evil.example", "127.0.0.1.nip.io", "", "["]
)
def test_dns_rebinding_is_refused(service: Service, host: str) -> None:
    answer = service.get("/api/jobs", Host=host)
    assert (answer.status, answer.code) == (403, "wrong_host")
    assert service.get("/", Host=host).status == 403


def test_loopback_names_are_answered(service: Service) -> None:
    for host in (f"localhost:{service.port}", f"127.0.0.1:{service.port}", f"[::1]:{service.port}"):
        assert service.get("/healthz", Host=host).status == 200


@pytest.mark.parametrize(
    "origin", ["null", "https://evil.example", "http://localhost:1", "http://127.0.0.1.evil.example", "http://["]
)
def test_a_page_of_another_site_is_refused(service: Service, origin: str) -> None:
    for answer in (service.post("/api/queue/pause", Origin=origin), service.get("/api/jobs", Origin=origin)):
        assert (answer.status, answer.code) == (403, "wrong_origin")
    assert service.get("/api/queue").json["paused"] is False


def test_our_own_page_is_answered(service: Service) -> None:
    origin = f"http://{service.host}:{service.port}"
    assert service.get("/api/jobs", Origin=origin).status == 200
    assert service.post("/api/check", {"document": {"nodes": {}}}, Origin=origin).status == 200


def test_cross_site_posts_without_an_origin_are_refused(service: Service) -> None:
    answer = service.post("/api/queue/pause", **{"Sec-Fetch-Site": "cross-site"})
    assert (answer.status, answer.code) == (403, "wrong_origin")


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"])
def test_what_a_form_can_send_is_no_json(service: Service, kind: str) -> None:
    answer = service.post("/api/jobs", {"workflow": "txt2img"}, **{"Content-Type": kind})
    assert (answer.status, answer.code) == (415, "wrong_media_type")


def test_there_are_no_cors_headers(service: Service) -> None:
    for answer in (service.get("/api/nodes"), service.ask("OPTIONS", "/api/jobs")):
        assert not [name for name in answer.headers if name.lower().startswith("access-control")]


def test_a_bomb_is_refused_by_its_header(service: Service) -> None:
    bomb = png(1, 1, claims=(65000, 65000))
    answer = service.ask("POST", "/api/uploads", bomb, {"Content-Type": "image/png"})
    assert (answer.status, answer.code) == (415, "not_a_picture")
    assert "pixels" in answer.json["error"]["message"]


@pytest.mark.parametrize(
    "data",
    [b"", b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", b"<html><script>1</script>",
     b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 1 1\n", b"\x80\x04cos\nsystem\n."],
)  # fmt: skip
def test_active_content_is_no_picture(service: Service, data: bytes) -> None:
    answer = service.ask("POST", "/api/uploads", data, {"Content-Type": "image/png"})
    assert (answer.status, answer.code) == (415, "not_a_picture")


def test_a_picture_that_is_also_a_page_is_served_as_a_picture(service: Service) -> None:
    polyglot = png(4, 4) + b"<html><script>alert(1)</script>"
    shown = service.get(f"/api/uploads/{send(service, polyglot)}")
    assert shown.headers["Content-Type"] == "image/png"
    assert shown.headers["X-Content-Type-Options"] == "nosniff"
    assert shown.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"


def test_a_body_that_is_too_large_is_refused(service: Service) -> None:
    answer = _unfinished(service, "/api/jobs", {"Content-Length": str(10**9), "Content-Type": "application/json"})
    assert answer.status == 413


def test_an_upload_that_is_too_large_is_refused(service: Service) -> None:
    connection = http.client.HTTPConnection(service.host, service.port, timeout=30)
    connection.putrequest("POST", "/api/uploads")
    connection.putheader("Transfer-Encoding", "chunked")
    connection.putheader("Content-Type", "image/png")
    connection.endheaders()
    block = bytes(2**20)
    try:
        for _ in range(80):
            connection.send(b"%x\r\n%s\r\n" % (len(block), block))
        connection.send(b"0\r\n\r\n")
    except (BrokenPipeError, ConnectionResetError):
        pass  # it hung up before it was all sent, which is right
    else:
        assert connection.getresponse().status == 413
    connection.close()
    assert not list((service.data / "uploads").glob("*.part"))


def _unfinished(service: Service, path: str, headers: dict[str, str]) -> Answer:
    with socket.create_connection((service.host, service.port), timeout=20) as plug:
        lines = [
            f"POST {path} HTTP/1.1",
            f"Host: {service.host}:{service.port}",
            *(f"{k}: {v}" for k, v in headers.items()),
        ]
        plug.sendall("\r\n".join([*lines, "", "{"]).encode() + b" " * 2**24)
        response = http.client.HTTPResponse(plug)
        response.begin()
        return Answer(response.status, response.headers, response.read())


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"null", b"[]", b'{"document": NaN}', b'{"document": ' + b"[" * 100_000, b"\xff\xfe", b'{"a": 1}',
     b'{"document": {"nodes": {"a": {"type": "' + b"A" * 100_000 + b'@1"}}}}', b'"\\ud800"',
     b'{"document": {"nodes": ' + b'{"a":' * 150 + b"1" + b"}" * 150 + b"}}"],
)  # fmt: skip
def test_bad_json_is_a_400_and_never_a_traceback(service: Service, body: bytes) -> None:
    for path in ("/api/jobs", "/api/check"):
        answer = service.ask("POST", path, body, {"Content-Type": "application/json"})
        assert answer.status in (200, 400, 422), answer.body[:300]
        if answer.status == 200:
            assert answer.json["problems"]
        assert b"Traceback" not in answer.body
        assert b"given b'" not in answer.body


def test_a_document_with_too_many_nodes_is_refused_unexpanded(service: Service) -> None:
    definitions: dict[str, Any] = {"d0": {"nodes": {"n": step("Text@1", text="x")}}}
    for i in range(1, 25):
        definitions[f"d{i}"] = {"nodes": {f"n{k}": step(f"#d{i - 1}") for k in range(10)}}
    (problem,) = check(service, step("#d24"), definitions=definitions)
    assert problem["code"] == "too_large"


def test_a_definition_in_itself_is_refused(service: Service) -> None:
    definitions = {"a": {"nodes": {"n": step("#b")}}, "b": {"nodes": {"n": step("#a")}}}
    assert [p["code"] for p in check(service, step("#a"), definitions=definitions)] == ["cycle"]


def test_a_cycle_is_named(service: Service) -> None:
    nodes = {"a": step("toy/Invert@1", image=link("b.image")), "b": step("toy/Invert@1", image=link("a.image"))}
    (problem,) = service.post("/api/check", {"document": {"nodes": nodes}}).json["problems"]
    assert problem["code"] == "cycle"
    assert "a -> b -> a" in problem["message"] or "b -> a -> b" in problem["message"]


def test_answers_name_no_path_of_the_server(service: Service) -> None:
    truncated = send(service, png(300, 300)[:120])
    job = service.post("/api/jobs?wait=1", {"document": saving(truncated)}).json
    assert job["state"] == "failed"
    said = json.dumps(job) + json.dumps(service.get(f"/api/jobs/{job['id']}").json)
    assert str(service.data) not in said
    assert truncated in job["error"]


def test_a_saved_document_names_no_path_of_the_server(service: Service) -> None:
    job = run(service, saving(send(service, png(3, 3))))
    data = service.get(f"/api/results/{job['results'][0]}/image").body
    assert str(service.data).encode() not in data


@pytest.mark.parametrize("name", ["../x", "a/b", ".hidden", "x" * 200, "", "a\nb", "con:x", "\u202egnp.exe/"])
def test_a_file_name_stays_in_its_folder(service: Service, name: str) -> None:
    answer = service.post("/api/jobs?wait=1", {"document": saving(send(service, png(3, 3)), name=name)})
    assert answer.status in (201, 422)
    if answer.status == 201:
        assert answer.json["state"] == "failed"
        assert answer.json["results"] == []


def test_every_answer_has_the_security_headers(service: Service) -> None:
    for path in ("/", "/api/jobs", "/nowhere", "/api/nodes", "/metrics"):
        headers = service.get(path).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert "script-src 'self'" in headers["Content-Security-Policy"]
        assert "Server" not in headers


# Tokens.


def test_another_address_asks_for_a_token(start: Callable[..., Service]) -> None:
    service = start("--host", "0.0.0.0")
    file = service.data / "tokens.json"
    assert file.stat().st_mode & 0o777 == 0o600
    tokens = json.loads(file.read_text())
    assert service.get("/healthz").status == 200
    for path in ("/api/jobs", "/api/events", "/api/openapi.json", "/metrics", "/api/results", "/internal/logs/raw"):
        assert service.get(path).status == 401
    view, may_run, admin = ({"Authorization": f"Bearer {tokens[s]}"} for s in ("view", "run", "admin"))
    assert service.get("/api/jobs", **view).status == 200
    submit = {"document": {"nodes": {"n": step("Text@1", text="x")}}}
    assert service.post("/api/jobs", submit, **view).code == "wrong_scope"
    assert service.post("/api/jobs", submit, **may_run).status == 201
    assert service.post("/api/queue/pause", **may_run).code == "wrong_scope"
    assert service.post("/api/queue/pause", **admin).status == 200
    said = service.log.read_text()
    assert not [t for t in tokens.values() if t in said]


def test_a_token_in_the_address_becomes_a_cookie(start: Callable[..., Service], tmp_path: Path) -> None:
    service = start("--token-file", str(tmp_path / "tokens.json"))
    token = json.loads((tmp_path / "tokens.json").read_text())["view"]
    answer = service.get(f"/?token={token}")
    assert (answer.status, answer.headers["Location"]) == (303, "/")
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert service.get("/api/jobs", Cookie=cookie.partition(";")[0]).status == 200
    assert service.get("/?token=wrong").status == 401


def test_guessing_tokens_is_stopped(start: Callable[..., Service], tmp_path: Path) -> None:
    service = start("--token-file", str(tmp_path / "tokens.json"))
    tokens = json.loads((tmp_path / "tokens.json").read_text())
    guesses = [service.get("/api/jobs", Authorization=f"Bearer guess{i}").status for i in range(GUESSES + 3)]
    assert guesses == [401] * GUESSES + [429] * 3
    assert service.get("/api/jobs", Authorization=f"Bearer {tokens['admin']}").status == 429


def test_a_stale_page_and_strangers_behind_a_proxy_lock_nobody_out() -> None:
    access = Access({"right": "admin"})
    for number in range(2 * GUESSES):
        with pytest.raises(Refused, match="needs a token"):
            access.check_token("page", None, "nodegraph_token=of before", "view")
        access.check_token("proxy", "Bearer right", None, "admin")
        with pytest.raises(Refused):
            access.check_token("proxy", f"Bearer guess{number}", None, "view")


def test_tokens_that_others_can_read_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "tokens.json"
    tokens_from(file)
    file.chmod(0o644)
    with pytest.raises(Unprotected, match="chmod 600"):
        tokens_from(file)
    file.chmod(0o600)
    file.write_text('{"admin": "short"}')
    with pytest.raises(Unprotected, match="20 characters"):
        tokens_from(file)


def test_without_a_token_another_address_is_not_served(tmp_path: Path) -> None:
    folder = tmp_path / "taken"
    folder.write_text("no folder")
    command = [
        sys.executable,
        "-c",
        "from nodegraph.cli import main; main()",
        "serve",
        "--host",
        "0.0.0.0",
        "--port",
        "0",
    ]
    command += ["--host", "0.0.0.0", "--data", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "tokens" in done.stderr


@pytest.mark.parametrize(
    ("host", "loopback"), [("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("localhost", True),
                           ("0.0.0.0", False), ("::", False), ("10.0.0.1", False), ("box", False), ("", False)],
)  # fmt: skip
def test_which_addresses_are_loopback(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback


def test_a_name_may_be_allowed() -> None:
    access = Access({}, frozenset({"box.lan"}))
    access.check_host("box.lan:8288")
    with pytest.raises(Refused):
        access.check_host("box.lan.evil.example")


# Webhooks.

PRIVATE = [
    "http://127.0.0.1/x", "http://localhost/x", "http://[::1]/", "http://10.1.2.3/", "http://169.254.169.254/latest",
    "http://192.168.0.1", "http://[::ffff:127.0.0.1]/", "http://0.0.0.0/", "http://a.localhost", "ftp://example.com/",
    "file:///etc/passwd", "http://user:word@example.com/", "javascript:alert(1)", "http://[fe80::1%25eth0]/", "http://x:99999/",
]  # fmt: skip


@pytest.mark.parametrize("url", PRIVATE)
def test_webhooks_reach_nothing_private(service: Service, url: str) -> None:
    answer = service.post("/api/jobs", {"workflow": "txt2img", "webhook": url})
    assert (answer.status, answer.code) == (400, "bad_webhook")


@pytest.mark.parametrize(
    ("address", "public"), [("8.8.8.8", True), ("2606:4700::1", True), ("127.0.0.1", False), ("::ffff:10.0.0.1", False),
                            ("100.64.0.1", False), ("224.0.0.1", False), ("fe80::1%eth0", False)],
)  # fmt: skip
def test_which_addresses_are_public(address: str, public: bool) -> None:
    assert is_public(address) is public


def test_a_public_webhook_is_taken() -> None:
    check_webhook("https://example.com/done?x=1", private=False)
    check_webhook("http://127.0.0.1:1/x", private=True)


def test_the_table_of_attacks_names_tests_that_exist() -> None:
    here = Path(__file__).parent
    said = re.findall(r"`(test_\w+)(\.py)?`", (here.parents[1] / "docs" / "server.md").read_text())
    known = "".join(path.read_text() for path in here.glob("test_*.py"))
    for name, suffix in said:
        assert (here / f"{name}.py").is_file() if suffix else f"def {name}(" in known, name
    assert len(said) > 30
