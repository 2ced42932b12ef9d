"""Who may use the page: a browser on this machine that has had the token, and no page of another origin."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

NAMES = ("127.0.0.1", "localhost", "[::1]")
"""Host names of this machine alone."""
SAFE_METHODS = ("GET", "HEAD")
OWN_SITES = ("same-origin", "none")
"""Values of Sec-Fetch-Site: asked by a page of ours, or by a person who entered the address."""
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types mlestar",
    )
)
REPORT_POLICY = "; ".join(
    (
        "default-src 'none'",
        "style-src 'unsafe-inline'",
        "img-src data:",
        "form-action 'none'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        "sandbox",
    )
)
"""Of the report, which is one file: no script, no request, and an origin of its own."""
HEADERS = {
    "content-security-policy": POLICY,
    # With `no-referrer`, browsers would send our own forms without their origin.
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
    "cache-control": "no-store",
}
ENTERED = (
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>mlestar</title>'
    '<link rel="icon" href="/static/icon.svg" type="image/svg+xml">'
    '<meta http-equiv="refresh" content="0; url=/"></head><body><p><a href="/">Open the runs</a></p></body></html>'
)
"""A page rather than a redirection: a strict cookie is left out of a redirection that began on another page."""
NO_TOKEN = "This page needs the address that `mlestar ui` has printed, with its token.\n"


@dataclass
class Access:
    """The token that an address brings, and the secret of the cookie that follows it."""

    port: int
    token: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    session: str = field(default_factory=lambda: secrets.token_urlsafe(32))

    @property
    def address(self) -> str:
        """The address to open."""
        return f"http://127.0.0.1:{self.port}/?token={self.token}"

    @property
    def cookie(self) -> str:
        """Name of the cookie: browsers send cookies to every port of a host."""
        return f"mlestar-{self.port}"

    @property
    def hosts(self) -> frozenset[str]:
        return frozenset(f"{name}:{self.port}" for name in NAMES)

    @property
    def origins(self) -> frozenset[str]:
        return frozenset(f"http://{host}" for host in self.hosts)


class Guard:
    """Refuses requests that do not come from our own pages, and adds headers to what is answered."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        """Take what it protects."""
        self._app, self._access = app, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":  # no web sockets
            return
        answer = self._answer(scope)
        await (answer or self._app)(scope, receive, _with_headers(send))

    def _answer(self, scope: Scope) -> Response | None:
        """Return the answer to a request that goes no further."""
        headers = Headers(scope=scope)
        if reason := self._refuse(scope["method"], headers):
            return PlainTextResponse(f"{reason}\n", 403)
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token")
        if given is not None and scope["path"] == "/" and scope["method"] == "GET":
            return self._enter(given[0])
        if not _same(_cookies(headers).get(self._access.cookie, ""), self._access.session):
            return PlainTextResponse(NO_TOKEN, 403)
        return None

    def _refuse(self, method: str, headers: Headers) -> str:
        """Return why a request is refused whatever it brings; empty when it is not."""
        if headers.get("host", "").lower() not in self._access.hosts:
            return "This page is only for this machine: open it at 127.0.0.1."
        site, origin = headers.get("sec-fetch-site"), headers.get("origin")
        is_visit = headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"
        if origin is not None and origin != f"http://{headers['host'].lower()}":
            return "The request comes from another page."
        if method in SAFE_METHODS:
            return "" if site is None or site in OWN_SITES or is_visit else "The request comes from another page."
        if site is not None and site != "same-origin":
            return "The request comes from another page."
        return "" if origin is not None else "The request does not say which page it comes from."

    def _enter(self, given: str) -> Response:
        """Return the cookie for the right token."""
        if not _same(given, self._access.token):
            return PlainTextResponse(NO_TOKEN, 403)
        answer = HTMLResponse(ENTERED, headers={"referrer-policy": "no-referrer"})
        answer.set_cookie(self._access.cookie, self._access.session, httponly=True, samesite="strict", path="/")
        return answer


def _with_headers(send: Send) -> Send:
    """Return a `send` that adds the headers; an answer that has one of its own keeps it."""

    async def send_all(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return send_all


def _cookies(headers: Headers) -> Mapping[str, str]:
    try:
        return {name: morsel.value for name, morsel in SimpleCookie(headers.get("cookie", "")).items()}
    except CookieError:
        return {}


def _same(given: str, secret: str) -> bool:
    return secrets.compare_digest(given.encode(), secret.encode())
