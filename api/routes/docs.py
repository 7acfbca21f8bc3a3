"""``/openapi.json``, and ``/docs``: a page that shows it to people."""

from pathlib import Path
from typing import Final

from starlette.responses import FileResponse, Response
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from api.endpoints import Asked, Endpoint
from api.schemas.base import Nothing
from api.schemas.ops import Document

FOLDER: Final = Path(__file__).resolve().parents[1] / "docs"
ASSETS: Final = Mount("/docs/assets", StaticFiles(directory=FOLDER / "assets"))
_REVALIDATE: Final = {"Cache-Control": "no-cache"}


async def openapi(asked: Asked[None, Nothing, None]) -> Response:
    return Response(asked.request.app.state.openapi, media_type="application/json")


async def docs(asked: Asked[None, Nothing, None]) -> Response:
    del asked
    return FileResponse(FOLDER / "index.html", headers=_REVALIDATE)


ENDPOINTS = (
    Endpoint("GET", "/openapi.json", "This document", "ops", openapi, Document, shared=True),
    Endpoint("GET", "/docs", "This document for people", "ops", docs, None, media_type="text/html"),
)
