"""The OpenAPI 3.1 document of endpoints."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from api.endpoints import IDEMPOTENCY_KEY, KEY_PATTERN, Endpoint
from api.problems import MEDIA_TYPE, SPECS
from api.schemas.base import Nothing, anchored
from api.schemas.ops import Problem

VERSION: Final = "1.0"
"""Of the API: of what stands in the document, not of this program."""

_REF: Final = "#/components/schemas/{model}"
_BEARER: Final = "access_token"
_COOKIE: Final = "refresh_cookie"
_AREAS: Final = {
    "market": "Market data",
    "routing": "Where an order is best traded",
    "auth": "Sign-in with a wallet, tokens, the session",
    "orders": "Orders, their steps and what was signed",
    "account": "What an account did",
    "ops": "Health and documentation",
}
_SECURITY: Final[Mapping[str, Sequence[Mapping[str, Sequence[str]]]]] = {
    "none": (),
    "optional": ({_BEARER: ()}, {}),
    "session": ({_BEARER: ()},),
    # Or the token is in the body.
    "cookie": ({_COOKIE: ()}, {}),
}


def document(endpoints: Sequence[Endpoint]) -> dict[str, Any]:
    """``endpoints`` in the order in which they are to be shown."""
    models = _Models(endpoints)
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        operation = _operation(endpoint, models)
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "perptape",
            "version": VERSION,
            "summary": "One consolidated tape of the perpetuals DEXes",
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": text} for name, text in _AREAS.items()],
        "paths": paths,
        "components": {
            "schemas": models.schemas,
            "securitySchemes": {
                _BEARER: {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
                _COOKIE: {"type": "apiKey", "in": "cookie", "name": "perptape_refresh"},
            },
        },
    }


class _Models:
    """The schemas of all bodies and answers, under ``components``."""

    def __init__(self, endpoints: Sequence[Endpoint]) -> None:
        wanted: set[type[BaseModel]] = {Problem}
        for endpoint in endpoints:
            wanted |= {model for model in (endpoint.body, endpoint.answer) if model is not None}
        # Of answers too: what has a default may be missing.
        ordered: list[tuple[type[BaseModel], JsonSchemaMode]] = [
            (model, "validation") for model in sorted(wanted, key=lambda model: model.__name__)
        ]
        found, definitions = models_json_schema(ordered, ref_template=_REF)
        self.schemas: dict[str, Any] = definitions["$defs"]
        self._refs = {model: schema for (model, _), schema in found.items()}

    def ref(self, model: type[BaseModel]) -> dict[str, Any]:
        return self._refs[model]


def _operation(endpoint: Endpoint, models: _Models) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "tags": [endpoint.area],
        "summary": endpoint.summary,
        "operationId": _operation_id(endpoint),
        "parameters": [
            *_parameters(endpoint.params, "path"),
            *_parameters(endpoint.query, "query"),
            *_key_parameter(endpoint),
        ],
        "responses": {
            str(endpoint.status): _success(endpoint, models),
            **_problems(endpoint.codes, models),
        },
        "security": list(_SECURITY[endpoint.access]),
        "x-limit": endpoint.limit,
    }
    if endpoint.body is not None:
        required = any(field.is_required() for field in endpoint.body.model_fields.values())
        operation["requestBody"] = {
            "required": required,
            "content": {"application/json": {"schema": models.ref(endpoint.body)}},
        }
    return operation


def _key_parameter(endpoint: Endpoint) -> Iterable[dict[str, Any]]:
    if endpoint.keyed != "no":
        yield {
            "name": IDEMPOTENCY_KEY,
            "in": "header",
            "required": endpoint.keyed == "must",
            "description": "sent again with the same body, the first answer is given again",
            "schema": {"type": "string", "pattern": anchored(KEY_PATTERN)},
        }


def _operation_id(endpoint: Endpoint) -> str:
    words = re.findall(r"[A-Za-z0-9]+", endpoint.path.removeprefix("/v1"))
    return "_".join([endpoint.method.lower(), *words])


def _parameters(model: type[BaseModel], where: str) -> Iterable[dict[str, Any]]:
    if model is Nothing:
        return
    schema = model.model_json_schema(by_alias=True)
    for name, found in schema["properties"].items():
        shown = {key: value for key, value in found.items() if key not in ("title", "description")}
        if shown.get("default", 0) is None:
            del shown["default"]
        parameter = {
            "name": name,
            "in": where,
            "required": where == "path" or name in schema.get("required", ()),
            "schema": shown,
        }
        if "description" in found:
            parameter["description"] = found["description"]
        yield parameter


def _success(endpoint: Endpoint, models: _Models) -> dict[str, Any]:
    schema = {"type": "string"} if endpoint.answer is None else models.ref(endpoint.answer)
    return {
        "description": endpoint.summary,
        "headers": {"X-Request-Id": {"schema": {"type": "string"}}},
        "content": {endpoint.media_type: {"schema": schema}},
    }


def _problems(codes: Iterable[str], models: _Models) -> dict[str, Any]:
    by_status: dict[int, list[str]] = {}
    for code in sorted(codes):
        by_status.setdefault(SPECS[code].status, []).append(code)
    return {
        str(status): {
            "description": "; ".join(f"`{code}`: {SPECS[code].title}" for code in found),
            "headers": {"X-Request-Id": {"schema": {"type": "string"}}},
            "content": {
                MEDIA_TYPE: {
                    "schema": {
                        "allOf": [models.ref(Problem)],
                        "properties": {"code": {"enum": found}, "status": {"const": status}},
                    }
                }
            },
        }
        for status, found in sorted(by_status.items())
    }
