"""Who may ask: hosts, origins and tokens.

On the loopback address whoever is on this machine may do everything, so what must be kept out are pages of other sites
in the same browser: by the `Host` they call us (DNS rebinding) and by the `Origin` they say. On any other address a
token must be shown as well.
"""

from __future__ import annotations

import ipaddress
import json
import os
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from typing import Literal
from urllib.parse import SplitResult, urlsplit

from .errors import Refused

Scope = Literal["view", "run", "admin"]
SCOPES: tuple[Scope, ...] = ("view", "run", "admin")
COOKIE = "nodegraph_token"
GUESSES, WINDOW = 10, 60.0
"""Different wrong tokens that one address may show in so many seconds. A page that was left open repeats its one."""
REMEMBERED = 10_000
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


class Unprotected(RuntimeError):
    """The server would be open to others."""


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a server on the address `host`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def tokens_from(file: Path) -> dict[str, Scope]:
    """The tokens in a file, with what each allows; made where there is none, for its owner alone to read.

    Raises:
        Unprotected: The file cannot be made or read, others may read it, or a token in it is short.
    """
    try:
        if not file.exists():
            made = json.dumps({scope: secrets.token_urlsafe(24) for scope in SCOPES}, indent=1)
            file.parent.mkdir(parents=True, exist_ok=True)
            with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
                out.write(made)
        if file.stat().st_mode & 0o077:
            raise Unprotected(f"{str(file)!r} can be read by others; say `chmod 600` to it, or remove it for a new one")
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Unprotected(f"tokens: {str(file)!r} cannot be used: {error}; name another with --token-file") from error
    good = isinstance(found, dict) and found and found.keys() <= set(SCOPES)
    if not good or not all(isinstance(t, str) and len(t) >= 20 for t in found.values()):
        message = (
            f"{str(file)!r} needs an object of some of {', '.join(SCOPES)}, each with a token of 20 characters or more"
        )
        raise Unprotected(f"{message}; remove it to have one made")
    return {token: scope for scope, token in found.items()}


@dataclass(slots=True)
class Access:
    """The rules of one server.

    Args:
        tokens: What each allows; none means that no token is asked for.
        hosts: Names by which the server may be called, beside loopback's and, where there are tokens, addresses.
    """

    tokens: Mapping[str, Scope] = field(default_factory=dict)
    hosts: frozenset[str] = frozenset()
    _guesses: dict[str, tuple[float, set[int]]] = field(default_factory=dict)
    _known: set[str] = field(default_factory=set)
    """Addresses that have shown a right token: behind a proxy, strangers' guesses come from there too."""

    def check_host(self, host: str) -> None:
        """Raises `Refused` where `Host` is a name that is not ours: a page that had its name point to this machine."""
        name = _split(f"//{host}").hostname if host else None
        if name is None or not self._is_ours(name):
            message = f"this server is not called {host!r}; a name is allowed with --allow-host"
            raise Refused(403, "wrong_host", message)

    def _is_ours(self, name: str) -> bool:
        if name in LOOPBACK_NAMES or name in self.hosts:
            return True
        if not self.tokens:
            return False
        try:
            ipaddress.ip_address(name)  # a page cannot have an address as its name, so rebinding is no danger
        except ValueError:
            return False
        return True

    def check_origin(self, origin: str | None, site: str | None, host: str, method: str) -> None:
        """Raises `Refused` for what a page of another site sends."""
        if origin is not None and _split(origin).netloc.lower() != host.lower():
            raise Refused(403, "wrong_origin", f"pages of {origin[:80]!r} may not call this server")
        if site in ("cross-site", "same-site") and (method not in ("GET", "HEAD") or origin is not None):
            raise Refused(403, "wrong_origin", "pages of other sites may not call this server")

    def check_token(self, peer: str, header: str | None, cookies: str | None, wanted: Scope) -> None:
        """Raises `Refused` without a token that allows `wanted`."""
        if not self.tokens:
            return
        if max(len(self._guesses), len(self._known)) > REMEMBERED:
            self._guesses.clear()
            self._known.clear()
        token = _shown(header, cookies)
        scope = None if token is None else self.scope_of(token)
        now = time.monotonic()
        began, wrong = self._guesses.get(peer, (now, set()))
        if now - began > WINDOW:
            began, wrong = now, set()
        if len(wrong) >= GUESSES and (scope is None or peer not in self._known):
            raise Refused(429, "too_many_guesses", f"too many wrong tokens; wait {WINDOW:.0f} seconds")
        if scope is None:
            if token is not None:
                self._guesses[peer] = (began, wrong | {hash(token)})
            raise Refused(
                401,
                "no_token",
                "needs a token: send it as `Authorization: Bearer ...`; the commands read NODEGRAPH_TOKEN",
            )
        self._known.add(peer)
        if SCOPES.index(scope) < SCOPES.index(wanted):
            raise Refused(403, "wrong_scope", f"needs a token for {wanted!r}, and this one is for {scope!r}")

    def scope_of(self, token: str) -> Scope | None:
        """What a token allows. Compares with every one in constant time."""
        given = token.encode(errors="replace")
        found: Scope | None = None
        for known, scope in self.tokens.items():
            if secrets.compare_digest(known.encode(), given):
                found = scope
        return found


def _split(address: str) -> SplitResult:
    """The parts of an address; of one that cannot be read, none."""
    try:
        return urlsplit(address)
    except ValueError:
        return urlsplit("")


def _shown(header: str | None, cookies: str | None) -> str | None:
    if header is not None:
        kind, _, token = header.partition(" ")
        return token.strip() if kind.lower() == "bearer" else ""
    if cookies is not None:
        try:
            found = SimpleCookie(cookies).get(COOKIE)
        except CookieError:
            return None
        return None if found is None else found.value
    return None
