import asyncio
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette

from api.routes import page


@pytest.fixture
def dist(tmp_path: Path) -> Path:
    built = tmp_path / "dist"
    (built / "assets").mkdir(parents=True)
    (built / "index.html").write_text("<!doctype html>page")
    (built / "favicon.svg").write_text("<svg/>")
    (built / "assets" / "index-abc123.js").write_text("1")
    (tmp_path / "secret").write_text("secret")
    return built


def get(dist: Path, path: str) -> httpx.Response:
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(Starlette(routes=page.routes(dist)))
        async with httpx.AsyncClient(transport=transport, base_url="http://a") as client:
            return await client.get(path)

    return asyncio.run(ask())


def test_the_page_is_always_asked_for_and_its_assets_never(dist: Path) -> None:
    index = get(dist, "/")
    assert index.text == "<!doctype html>page"
    assert index.headers["cache-control"] == "no-cache"
    assert index.headers["content-type"].startswith("text/html")
    asset = get(dist, "/assets/index-abc123.js")
    assert asset.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert get(dist, "/favicon.svg").headers["cache-control"] == "no-cache"


@pytest.mark.parametrize(
    "path",
    ["/assets/none.js", "/assets/", "/assets/../../secret", "/assets/..%2f..%2fsecret", "/x"],
)
def test_nothing_else_is_served(dist: Path, path: str) -> None:
    assert get(dist, path).status_code == 404


def test_without_a_build_there_is_a_line_of_text(tmp_path: Path) -> None:
    assert "not built" in get(tmp_path / "dist", "/").text
