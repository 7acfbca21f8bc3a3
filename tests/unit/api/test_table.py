"""The table of endpoints, the document made of it and the app agree."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from starlette.routing import Mount, Route

from api import app as gateway
from api import openapi, problems
from api.edge import Edge
from api.endpoints import Endpoint, Resource
from api.peers import DIRECT
from api.routes import docs, page
from api.table import ENDPOINTS

DOCUMENT = openapi.document(ENDPOINTS)
SCHEMAS = DOCUMENT["components"]["schemas"]
BESIDE = {"/socket.io", "/socket.io/", docs.ASSETS.path} | {
    route.path for route in page.routes() if isinstance(route, Route | Mount)
}
"""Paths that are no endpoints: sockets, and files."""


@pytest.fixture(scope="module")
def app() -> Edge:
    nothing: Any = object()
    return gateway.build_app(nothing, nothing, DIRECT)


def names_in(path: str) -> list[str]:
    return re.findall(r"\{(\w+)\}", path)


def operation(endpoint: Endpoint) -> dict[str, Any]:
    found: dict[str, Any] = DOCUMENT["paths"][endpoint.path][endpoint.method.lower()]
    return found


def test_the_app_serves_what_is_in_the_table_and_nothing_else(app: Edge) -> None:
    assert {route.path for route in app.beside.routes if isinstance(route, Route | Mount)} == BESIDE
    assert len(app.beside.routes) == len(BESIDE)
    served = set()
    for path, resource in app.paths:
        assert isinstance(resource, Resource)
        assert path == resource.path
        assert app.paths.find(path) == (resource, {name: f"{{{name}}}" for name in names_in(path)})
        served |= {(method, path) for method in resource.by_method}
    served = {item for item in served if item[0] != "HEAD"}
    assert served == {(endpoint.method, endpoint.path) for endpoint in ENDPOINTS}
    assert len(served) == len(ENDPOINTS)


def test_the_document_has_what_is_in_the_table_and_nothing_else() -> None:
    described = {
        (method.upper(), path) for path, item in DOCUMENT["paths"].items() for method in item
    }
    assert described == {(endpoint.method, endpoint.path) for endpoint in ENDPOINTS}
    names = [operation(endpoint)["operationId"] for endpoint in ENDPOINTS]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda item: f"{item.method} {item.path}")
def test_every_endpoint_is_described_as_it_is(endpoint: Endpoint) -> None:
    described = operation(endpoint)
    in_path = [item["name"] for item in described["parameters"] if item["in"] == "path"]
    assert in_path == names_in(endpoint.path)
    in_query = [item["name"] for item in described["parameters"] if item["in"] == "query"]
    assert in_query == list(endpoint.query_names)
    assert ("requestBody" in described) == (endpoint.body is not None)
    assert bool(described["security"]) == (endpoint.access != "none")
    codes = set()
    for status, response in described["responses"].items():
        if status != str(endpoint.status):
            content = response["content"]["application/problem+json"]["schema"]
            assert content["properties"]["status"] == {"const": int(status)}
            codes |= set(content["properties"]["code"]["enum"])
            assert all(problems.SPECS[code].status == int(status) for code in codes & set(content))
    assert codes == endpoint.codes


def test_what_changes_orders_has_to_have_a_key() -> None:
    changes = {
        endpoint.path: endpoint.keyed
        for endpoint in ENDPOINTS
        if endpoint.area == "orders" and endpoint.method != "GET"
    }
    # Neither is worse for being repeated, and of the second every one counts.
    free = {"/v1/orders/{id}/submission": "may", "/v1/heartbeat": "no"}
    assert {path: keyed for path, keyed in changes.items() if keyed != "must"} == free


def test_every_code_can_be_answered_by_an_endpoint() -> None:
    """But for those of requests that reach none."""
    documented = {code for endpoint in ENDPOINTS for code in endpoint.codes}
    assert set(problems.SPECS) - documented == {"METHOD_NOT_ALLOWED"}
    assert documented <= set(problems.SPECS)


def references(node: Any) -> Iterator[str]:
    if isinstance(node, Mapping):
        if "$ref" in node:
            yield node["$ref"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list | tuple):
        for value in node:
            yield from references(value)


def test_the_document_is_whole() -> None:
    assert set(DOCUMENT) == {"openapi", "info", "servers", "tags", "paths", "components"}
    used = set(references(DOCUMENT))
    assert used == {f"#/components/schemas/{name}" for name in SCHEMAS}
    tags = {tag["name"] for tag in DOCUMENT["tags"]}
    assert {operation(endpoint)["tags"][0] for endpoint in ENDPOINTS} == tags


def test_every_parameter_without_a_value_has_one_by_itself() -> None:
    for endpoint in ENDPOINTS:
        assert endpoint.no_query.model_fields_set == set()


def test_refused_is_what_the_document_says() -> None:
    said = {
        item["name"]: item["schema"]
        for item in DOCUMENT["paths"]["/v1/funding"]["get"]["parameters"]
    }
    assert said["limit"] == {"type": "integer", "minimum": 1, "maximum": 1000, "default": 100}
    assert said["side"]["enum"] == ["long", "short"]
    body = SCHEMAS["NonceBody"]
    assert body["additionalProperties"] is False
    assert body["required"] == ["address", "chain_id"]
