"""The page: a server on the loopback address, for one browser that has its token. It asks no other server for anything."""

import hmac
import json
import re
import secrets
from collections.abc import Awaitable, Callable
from functools import cache
from importlib import resources
from typing import Any
from urllib.parse import unquote

from jinja2 import Environment, PackageLoader, select_autoescape
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from cama.app.shelf import Shelf, thumbnail, view
from cama.core.errors import CamaError, printable
from cama.storage.images import MAX_BYTES

COOKIE = "cama-"  # and the port, since a browser gives the cookies of one address to all its ports
LANGUAGES = ("en", "de")
HOST = re.compile(r"(?:127\.0\.0\.1|localhost)(?::\d{1,5})?", re.ASCII)
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:;"
    " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
# what the page may ask for: a type, or the values that it may have
SETTINGS: dict[str, Any] = {
    "target": str,
    "psnr": float,
    "resize": int,
    "device_noise": ("yes", "no"),
    "metadata": ("none", "target"),
    "encoding": ("target", "neutral", "png"),
}


class Guard(BaseHTTPMiddleware):
    """Lets in one browser: that which first shows the token, which is good once, and has a cookie from then on."""

    def __init__(self, app: Any, token: str) -> None:
        super().__init__(app)
        self._token, self._cookie = token, secrets.token_urlsafe(32)

    async def dispatch(self, request: Request, call: Callable[[Request], Awaitable[Response]]) -> Response:
        """Answer, or refuse to."""
        try:
            response = await self._answer(request, call)
        except Exception as error:  # a fault of the program, whose answer has the same headers as others
            response = JSONResponse({"error": f"the program failed ({type(error).__name__})"}, 500)
        response.headers.update(HEADERS)
        return response

    async def _answer(self, request: Request, call: Callable[[Request], Awaitable[Response]]) -> Response:
        if not HOST.fullmatch(request.headers.get("host", "")):  # a name that somebody made point here
            return _refused("found another host than this computer")
        name = f"{COOKIE}{request.url.port}"
        given, shown = request.cookies.get(name, ""), request.query_params.get("token", "")
        known = hmac.compare_digest(given.encode(), self._cookie.encode())
        if shown and (known or (self._token and hmac.compare_digest(shown.encode(), self._token.encode()))):
            self._token = ""
            response = RedirectResponse("/", 303)
            response.set_cookie(name, self._cookie, httponly=True, samesite="strict")
            return response
        if not known:
            return _refused("found no key: open the address that `cama app` printed, which works once")
        origin = request.headers.get("origin")
        if request.method != "GET" and origin not in (None, str(request.base_url).rstrip("/")):
            return _refused("found a request of another page")
        return await call(request)


def _refused(reason: str) -> Response:
    return JSONResponse({"error": reason}, 403)


@cache
def texts(language: str) -> dict[str, str]:
    """The page's texts in a language."""
    return json.loads(resources.files("cama.app").joinpath("texts", f"{language}.json").read_text(encoding="utf-8"))


def language_of(request: Request) -> str:
    """The language that is asked for by `?lang=`, else the first of the browser's that the page has."""
    wanted = [request.query_params.get("lang", "")]
    wanted += [part.split(";")[0].strip()[:2] for part in request.headers.get("accept-language", "").split(",")]
    return next((language for language in wanted if language in LANGUAGES), LANGUAGES[0])


class Handlers:
    """What the server answers about the photographs of a shelf."""

    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf
        self.pages = Environment(loader=PackageLoader("cama.app"), autoescape=select_autoescape(default=True))

    async def page(self, request: Request) -> Response:
        """The page itself."""
        language = language_of(request)
        header = self.shelf.header
        words = texts(language)
        html = self.pages.get_template("page.html").render(
            language=language,
            languages=LANGUAGES,
            t=words,
            labels=header.labels,
            auto=header.held_out,
            psnr=header.psnr,
            measured=measured(header.scores.summary, words),
            simulated=header.simulated,
            metadata=any(profile.exif.entries for profile in header.profiles.values()),
            credits=header.credits,
        )
        return HTMLResponse(html)

    async def add(self, request: Request) -> Response:
        """Take a photograph: the body, under the name of `X-Name`."""
        name = printable(unquote(request.headers.get("x-name", "")))[:200] or "photo"
        data = bytearray()
        async for part in request.stream():
            data += part
            if len(data) > MAX_BYTES:
                raise CamaError(f"{name}: too large, expected at most {MAX_BYTES} bytes")
        return JSONResponse((await run_in_threadpool(self.shelf.add, name, bytes(data))).about)

    async def state(self, request: Request) -> Response:
        """All photographs."""
        return JSONResponse([picture.about for picture in self.shelf.all()])

    async def remove(self, request: Request) -> Response:
        """Forget one."""
        self.shelf.remove(request.path_params["name"])
        return JSONResponse({})

    async def start(self, request: Request) -> Response:
        """Anonymize some."""
        asked = await _json(request)
        settings: dict[str, Any] = {
            key: _setting(key, value) for key, value in asked["settings"].items() if value not in (None, "")
        }
        settings["device_noise"] = settings.get("device_noise") == "yes"
        await run_in_threadpool(self.shelf.start, asked["pictures"], settings)
        return JSONResponse({})

    async def image(self, request: Request) -> Response:
        """What the page shows of one."""
        picture, what = self.shelf.get(request.path_params["name"]), request.path_params["what"]
        if what.startswith("thumbnail-") and what[10:].isdecimal() and len(what) < 14:
            data = await run_in_threadpool(thumbnail, picture, int(what[10:]))
        elif what in ("before", "after", "difference"):
            data = await run_in_threadpool(view, picture, what)
        else:
            raise CamaError(f"found {what}, expected before, after or difference")
        return Response(data, media_type="image/jpeg")

    async def result(self, request: Request) -> Response:
        """What became of one."""
        picture = self.shelf.get(request.path_params["name"])
        name, data = picture.made()
        if not data:
            raise CamaError("found no result yet, expected an anonymized photograph")
        return _download(data, "image/png" if name.endswith(".png") else "image/jpeg", name)

    async def everything(self, request: Request) -> Response:
        """All results."""
        return _download(await run_in_threadpool(self.shelf.archive), "application/zip", "pictures.zip")


def make_app(shelf: Shelf, token: str) -> Starlette:
    """The server's application."""
    handlers = Handlers(shelf)

    async def failed(request: Request, error: Exception) -> Response:
        return JSONResponse({"error": str(error)}, 400)

    return Starlette(
        routes=[
            Route("/", handlers.page),
            Route("/pictures", handlers.add, methods=["POST"]),
            Route("/pictures", handlers.state),
            Route("/pictures/{name}", handlers.remove, methods=["DELETE"]),
            Route("/anonymize", handlers.start, methods=["POST"]),
            Route("/pictures/{name}/result", handlers.result),
            Route("/pictures/{name}/{what}", handlers.image),
            Route("/results.zip", handlers.everything),
            Mount("/static", StaticFiles(packages=[("cama.app", "static")])),
        ],
        middleware=[Middleware(Guard, token=token)],
        exception_handlers={CamaError: failed},
    )


async def _json(request: Request) -> dict[str, Any]:
    try:
        asked = await request.json()
        names, settings = asked["pictures"], asked["settings"]
        good = isinstance(settings, dict) and isinstance(names, list) and all(isinstance(name, str) for name in names)
    except (ValueError, TypeError, KeyError) as error:
        raise CamaError("found no JSON of pictures and settings, expected an object") from error
    if not good:
        raise CamaError("found other pictures or settings, expected a list of names and an object")
    return asked


def _setting(key: str, value: Any) -> Any:
    known = SETTINGS.get(key)
    if known is None:
        raise CamaError(f"found the setting {printable(key)[:40]}, expected one of {', '.join(SETTINGS)}")
    if isinstance(known, tuple):
        if value not in known:
            raise CamaError(f"{key}: found {printable(str(value))[:40]}, expected one of {', '.join(known)}")
        return value
    try:
        return known(value)
    except (ValueError, TypeError, OverflowError) as error:
        raise CamaError(f"{key}: found {printable(str(value))[:40]}, expected a number") from error


def _download(data: bytes, kind: str, name: str) -> Response:
    return Response(data, media_type=kind, headers={"Content-Disposition": f'attachment; filename="{name}"'})


def measured(summary: list[dict[str, Any]], words: dict[str, str]) -> list[str]:
    """What the model file's card says was measured, in words of one number each: under the first save, and the classifiers
    that know the fewest cameras.
    """
    found = []
    for name in ("in", "out"):
        rows = [row for row in summary if row.get("set") == name and row.get("targeted") is not None]
        rows = sorted(
            (row for row in rows if row.get("save") == rows[0].get("save")), key=lambda row: row.get("labels") or 0
        )
        if rows:
            found.append(words[f"measured_{name}"].format(count=round(100 * float(rows[0]["targeted"]))))
    return found or [words["measured_nothing"]]
