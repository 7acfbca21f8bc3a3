"""The page, as built into ``web/dist``; a line of text where it is not."""

from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

DIST: Final = Path(__file__).resolve().parents[2] / "web" / "dist"
_REVALIDATE: Final = {"Cache-Control": "no-cache"}
_IMMUTABLE: Final = {"Cache-Control": "public, max-age=31536000, immutable"}


class _Assets(StaticFiles):
    """Files whose names carry a hash of their content."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers.update(_IMMUTABLE)
        return response


async def _no_page(request: Request) -> Response:
    del request
    return PlainTextResponse("perptape: the page is not built; the API is at /v1/markets\n")


def _file(path: Path) -> Route:
    async def serve(request: Request) -> Response:
        del request
        return FileResponse(path, headers=_REVALIDATE)

    return Route("/" if path.name == "index.html" else f"/{path.name}", serve)


def routes(dist: Path = DIST) -> list[BaseRoute]:
    if not (dist / "index.html").is_file():
        return [Route("/", _no_page)]
    served: list[BaseRoute] = [_file(path) for path in sorted(dist.iterdir()) if path.is_file()]
    if (dist / "assets").is_dir():
        served.append(Mount("/assets", _Assets(directory=dist / "assets")))
    return served
