from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

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


def test_the_page_is_always_asked_for_and_its_assets_never(dist: Path) -> None:
    client = TestClient(Starlette(routes=page.routes(dist)))
    index = client.get("/")
    assert index.text == "<!doctype html>page"
    assert index.headers["cache-control"] == "no-cache"
    assert index.headers["content-type"].startswith("text/html")
    asset = client.get("/assets/index-abc123.js")
    assert asset.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert client.get("/favicon.svg").headers["cache-control"] == "no-cache"


@pytest.mark.parametrize(
    "path",
    ["/assets/none.js", "/assets/", "/assets/../../secret", "/assets/..%2f..%2fsecret", "/x"],
)
def test_nothing_else_is_served(dist: Path, path: str) -> None:
    assert TestClient(Starlette(routes=page.routes(dist))).get(path).status_code == 404


def test_without_a_build_there_is_a_line_of_text(tmp_path: Path) -> None:
    client = TestClient(Starlette(routes=page.routes(tmp_path / "dist")))
    assert "not built" in client.get("/").text
