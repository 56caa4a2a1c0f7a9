"""The OpenAPI document of the studio, made from its endpoints."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel

from .endpoints import Endpoint, Parameter

_ERROR = {"type": "object", "required": ["error"], "properties": {"error": {"type": "string"}}}
_REFUSALS = {
    "400": "The request cannot be read, or names another host.",
    "401": "There is no valid token.",
    "403": "The request comes from another site.",
    "404": "There is no such thing, or it is somebody else's.",
    "409": "It is too early, or too late.",
    "413": "It is too large.",
    "415": "It is of another kind.",
    "422": "A field is wrong.",
    "429": "Too much waits.",
    "503": "There is no room, or the studio is closing.",
}
_SCHEMAS = {"text": "string", "number": "number", "whole number": "integer", "yes or no": "boolean"}
_OPEN = frozenset({"/health", "/", "/login"})


def document(endpoints: Sequence[Endpoint], version: str) -> dict[str, Any]:
    """Make the document.

    Args:
        endpoints: the routes.
        version: of impasto.
    """
    models: dict[str, Any] = {"Error": _ERROR}
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint, models)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "impasto studio",
            "version": version,
            "description": "Turn a photograph into a painting. Errors are JSON with one sentence in `error`.",
        },
        "paths": paths,
        "components": {
            "schemas": models,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "session": {"type": "apiKey", "in": "cookie", "name": "impasto_session"},
            },
        },
        "security": [{"token": []}, {"session": []}],
    }


def _operation(endpoint: Endpoint, models: dict[str, Any]) -> dict[str, Any]:
    parts = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"{(\w+)}", endpoint.path)
    ]
    found: dict[str, Any] = {
        "summary": endpoint.summary,
        "parameters": [*parts, *(_parameter(name, each) for name, each in endpoint.query.items())],
        "responses": {
            **{str(status): _answer(kind) for status, kind in endpoint.answers.items()},
            **{
                status: {
                    "description": about,
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
                }
                for status, about in _REFUSALS.items()
            },
        },
    }
    if (body := _body(endpoint, models)) is not None:
        found["requestBody"] = {"required": True, "content": body}
    if endpoint.path in _OPEN:
        found["security"] = []
    return found


def _parameter(name: str, parameter: Parameter) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": _SCHEMAS[parameter.kind]}
    bounds = {"minimum": parameter.low, "maximum": parameter.high}
    schema |= {bound: value for bound, value in bounds.items() if value is not None}
    if parameter.choices:
        schema["enum"] = list(parameter.choices)
    return {"name": name, "in": "query", "description": parameter.about, "schema": schema}


def _answer(kind: str) -> dict[str, Any]:
    return {"description": "Done.", **({"content": {kind: {}}} if kind else {})}


def _body(endpoint: Endpoint, models: dict[str, Any]) -> dict[str, Any] | None:
    if endpoint.body is None:
        return None
    if endpoint.body == "picture":
        return {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}}
    if endpoint.body == "form":
        fields = {
            name: {
                "type": "string",
                "description": about,
                **({"format": "binary"} if about.startswith("file") else {}),
            }
            for name, about in endpoint.fields.items()
        }
        return {"multipart/form-data": {"schema": {"type": "object", "properties": fields}}}
    return {"application/json": {"schema": _reference(endpoint.body, models)}}


def _reference(model: type[BaseModel], models: dict[str, Any]) -> dict[str, str]:
    schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
    models |= schema.pop("$defs", {})
    models[model.__name__] = schema
    return {"$ref": f"#/components/schemas/{model.__name__}"}
