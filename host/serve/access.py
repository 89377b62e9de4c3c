"""Access to the page: who may open it, under which names, and from which other pages."""

import hashlib
import hmac
import ipaddress
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from host.serve.api.responses import ApiError, problem
from host.serve.settings import PageSettings

COOKIE = "inkling"
COOKIE_AGE_S = 90 * 86_400
OWN_HEADER = "x-inkling"  # a page of another origin cannot send it without asking, and is not allowed to
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
OPEN_PATHS = ("/login", "/health")  # and /static/, without a token
MAX_LOGIN = 4096  # bytes
LOGIN_PAGE = Path(__file__).parent / "static" / "login.html"
WRONG = '<p class="error" role="alert">This is not the token.</p>'
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",  # with "no-referrer", browsers hide the origin of our own forms, too
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Access:
    """Middleware that refuses strangers, and gives every response the headers that keep them out of the page."""

    def __init__(self, app: ASGIApp, settings: PageSettings) -> None:
        self._app = app
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http":  # the life of the server; there are no routes for web sockets
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                # Static files are checked for changes each time; what is known of devices is kept nowhere.
                headers.setdefault("Cache-Control", "no-cache" if scope["path"].startswith("/static/") else "no-store")
            await send(message)

        app = _refusal(Request(scope), self._settings) or self._app
        await app(scope, receive, send_with_headers)


def is_known(request: Request, settings: PageSettings) -> bool:
    """Return True if the request has the token or the cookie, or if none is needed."""
    return settings.token is None or _has_token(request, settings.token) or _has_cookie(request, settings.token)


async def login(request: Request, settings: PageSettings) -> Response:
    """Show the form that asks for the token, or take it and set the cookie."""
    if settings.token is None:
        return RedirectResponse("/", 303)
    if request.method != "POST":
        return _login_page()
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MAX_LOGIN:
            raise ApiError(f"the form has more than {MAX_LOGIN} bytes", 413)
    given = parse_qs(body.decode(errors="replace")).get("token", [""])[0]
    if not _equal(given.strip(), settings.token):
        return _login_page(WRONG, 401)
    response = RedirectResponse("/", 303)
    secure = request.url.scheme == "https"
    response.set_cookie(COOKIE, _cookie(settings.token), COOKIE_AGE_S, secure=secure, httponly=True, samesite="strict")
    return response


def logout(_: Request) -> Response:
    """Remove the cookie."""
    response = Response(status_code=204)
    response.delete_cookie(COOKIE, httponly=True, samesite="strict")
    return response


def _refusal(request: Request, settings: PageSettings) -> Response | None:
    """Return the answer to a request that is refused, None for all others."""
    host = request.headers.get("host", "")
    if not _is_own_name(host, settings.hosts):
        return problem(f"the page is not at {host[:80]!r}: open it by its address, or add this name to its hosts", 421)
    path = request.url.path
    if not (path in OPEN_PATHS or path.startswith("/static/") or is_known(request, settings)):
        if path == "/":
            return RedirectResponse("/login", 303)
        refused = problem("the token is missing or wrong: send the header Authorization: Bearer TOKEN", 401)
        refused.headers["WWW-Authenticate"] = "Bearer"
        return refused
    if request.method in SAFE_METHODS or (settings.token and _has_token(request, settings.token)):
        return None
    if not _is_own_origin(request, host):
        return problem("another site's page sent this: changes are only taken from this page", 403)
    if path != "/login" and OWN_HEADER not in request.headers:
        return problem("a change needs the header X-Inkling: 1, which other sites' pages cannot send", 403)
    return None


def _is_own_name(host: str, names: frozenset[str]) -> bool:
    """Return True for a Host header with an address, which no stranger can point elsewhere, or one of our names."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    if name == "localhost" or name in names:
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _is_own_origin(request: Request, host: str) -> bool:
    origin, site = request.headers.get("origin"), request.headers.get("sec-fetch-site")
    return (origin is None or urlsplit(origin).netloc == host) and site in (None, "same-origin", "none")


def _has_token(request: Request, token: str) -> bool:
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    return scheme.lower() == "bearer" and _equal(given.strip(), token)


def _has_cookie(request: Request, token: str) -> bool:
    return _equal(request.cookies.get(COOKIE, ""), _cookie(token))


def _cookie(token: str) -> str:
    """Return what a cookie holds: it proves the token without telling it."""
    return hmac.new(token.encode(), b"inkling page", hashlib.sha256).hexdigest()


def _equal(given: str, expected: str) -> bool:
    """Compare in a time that tells neither content nor length."""
    left, right = (hashlib.sha256(text.encode(errors="replace")).digest() for text in (given, expected))
    return hmac.compare_digest(left, right)


def _login_page(error: str = "", status: int = 200) -> Response:
    return HTMLResponse(LOGIN_PAGE.read_text(encoding="utf-8").replace("<!-- error -->", error), status)
