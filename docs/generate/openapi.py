"""`openapi.json`: the public interface for tools that read OpenAPI 3.1."""

import json
import re
from typing import Any

import msgspec

from databox.wire.endpoints import ENDPOINTS, Endpoint, Raw, Right

_REF = "#/components/schemas/{name}"


def render() -> str:
    """The whole document."""
    public = [endpoint for endpoint in ENDPOINTS if endpoint.public]
    kinds = list(dict.fromkeys(k for e in public for k in (e.request, e.reply) if k is not Raw))
    schemas, components = msgspec.json.schema_components(kinds, ref_template=_REF)
    shown = dict(zip(kinds, schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in public:
        paths.setdefault(_path(endpoint), {})[endpoint.method.lower()] = _operation(endpoint, shown)
    document = {
        "openapi": "3.1.0",
        "info": {
            "title": "Databox",
            "version": "1",
            "description": "The public interface of a box, as the dashboard and the command line "
            "use it. Times are Unix milliseconds.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "http://databox.localhost:8989"}],
        "paths": paths,
        "components": {
            "schemas": components | {"Error": _ERROR},
            "securitySchemes": {
                "session": {
                    "type": "http",
                    "scheme": "DPoP",
                    "description": "A session bound to a key; each call carries a proof (RFC 9449)",
                }
            },
        },
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message"],
            "properties": {
                name: {"type": "string"} for name in ("code", "message", "field", "found", "remedy")
            },
        }
    },
}


def _path(endpoint: Endpoint) -> str:
    return f"/api/stores/{{store}}{endpoint.path}" if endpoint.service == "store" else endpoint.path


def _operation(endpoint: Endpoint, shown: dict[Any, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": endpoint.name,
        "summary": endpoint.summary,
        "tags": [endpoint.service],
        "parameters": [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
            for name in re.findall(r"{(\w+)}", _path(endpoint))
        ]
        + [_parameter(name, meaning) for name, meaning in endpoint.query],
        "security": [] if endpoint.right is Right.OPEN else [{"session": []}],
        "responses": {
            "200": {"description": "Done", "content": _content(endpoint.reply, shown)},
            "default": {
                "description": "Refused; the text says why and what to do",
                "content": {"application/json": {"schema": {"$ref": _REF.format(name="Error")}}},
            },
        },
        "x-audited": endpoint.audited,
        "x-max-body": endpoint.max_body,
    }
    if endpoint.method == "POST":
        operation["requestBody"] = {"content": _content(endpoint.request, shown)}
    return operation


def _parameter(name: str, meaning: str) -> dict[str, Any]:
    found: dict[str, Any] = {"name": name, "in": "query", "description": meaning}
    if not name.endswith(".NAME"):
        return found | {"schema": {"type": "string"}}
    begin = name.removesuffix("NAME")
    tags = {"type": "object", "propertyNames": {"pattern": f"^{re.escape(begin)}"}}
    # Each member of the object is a parameter of its own.
    return found | {"name": begin + "*", "style": "form", "explode": True, "schema": tags}


def _content(kind: Any, shown: dict[Any, Any]) -> dict[str, Any]:
    return {"application/json": {} if kind is Raw else {"schema": shown[kind]}}
