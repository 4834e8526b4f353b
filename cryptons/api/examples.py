"""Examples of what the API answers, for the OpenAPI document: each is made from its schema, with the values of examples.json.

These stand by the name of a field, or of its component and the field: `sku`, `Image.url`.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any

Shape = dict[str, Any]

UNKNOWN = "…"
"""For a text that examples.json does not know. The tests find it."""
BY_FORMAT = {"uuid": "01a21c3e-c0fd-70d0-8283-c19ad8f36555", "date-time": "2026-11-01T12:00:00Z", "date": "2026-11-01"}
BY_TYPE: Shape = {"boolean": True, "integer": 1, "null": None, "string": UNKNOWN}
STREAM = 'retry: 3000\n\nevent: order\nid: 6f1d2c03b97a4e58\ndata: {"order": {…}, "payment": {…}}\n\n'


@cache
def values() -> Shape:
    loaded: Shape = json.loads(Path(__file__).with_suffix(".json").read_text())
    return loaded


def add_examples(result: Shape, **_: Any) -> Shape:
    """Give each answer that is JSON, and each webhook's body, an example: one of drf-spectacular's POSTPROCESSING_HOOKS."""
    schemas = result["components"]["schemas"]
    for methods in result["paths"].values():
        for operation in methods.values():
            for status, answer in operation["responses"].items():
                for kind, content in answer.get("content", {}).items() if status.startswith("2") else ():
                    if kind == "application/json":
                        content["example"] = example_of(content["schema"], schemas)
                    elif kind == "text/event-stream":
                        content["example"] = STREAM
    for methods in result.get("webhooks", {}).values():
        content = methods["post"]["requestBody"]["content"]["application/json"]
        content["example"] = example_of(content["schema"], schemas)
    return result


def example_of(shape: Shape, schemas: Shape, name: str = "", component: str = "") -> Any:
    """Return a value that the schema allows; `name` is that of the field, and `component` of the schema it belongs to."""
    known = values()
    for key in (f"{component}.{name}", name):
        if key in known and "const" not in shape:
            return known[key]
    if "$ref" in shape:
        component = shape["$ref"].rpartition("/")[2]
        return example_of(schemas[component], schemas, "", component)
    if "oneOf" in shape:
        return example_of(shape["oneOf"][0], schemas, name, component)
    if "properties" in shape:
        return {field: example_of(inner, schemas, field, component) for field, inner in shape["properties"].items()}
    kind = shape.get("type", "string")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "array":
        return [example_of(shape["items"], schemas, name, component)]
    if kind == "object":
        inner = shape.get("additionalProperties")
        return {"BTC": example_of(inner, schemas, name, component)} if isinstance(inner, dict) else {}
    if "const" in shape:
        return shape["const"]
    if "enum" in shape:
        return shape["enum"][0]
    return BY_FORMAT.get(shape.get("format", "")) or shape.get("example") or BY_TYPE[kind]
