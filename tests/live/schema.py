"""As much of JSON Schema as our own schemas use; what they use besides is an error."""

import json

_TYPES = {
    "object": dict, "array": list, "string": str, "boolean": bool, "integer": int, "number": (int, float)}
_WORDS = {
    "$schema", "$defs", "$ref", "title", "description", "type", "required", "properties",
    "additionalProperties", "items", "enum", "minimum", "minItems", "anyOf"}


def _is_of(value, name):
    is_number = name in ("integer", "number")
    return isinstance(value, _TYPES[name]) and not (is_number and isinstance(value, bool))


def _object_complaints(schema, value, root, at):
    properties = schema.get("properties", {})
    yield from (f"{at}: no {name!r}" for name in schema.get("required", ()) if name not in value)
    for name, part in value.items():
        if name in properties:
            yield from _complaints(properties[name], part, root, f"{at}.{name}")
        elif not schema.get("additionalProperties", True):
            yield f"{at}: {name!r} is not foreseen"


def _complaints(schema, value, root, at):
    assert schema.keys() <= _WORDS, schema.keys() - _WORDS
    if "$ref" in schema:
        yield from _complaints(root["$defs"][schema["$ref"].rpartition("/")[2]], value, root, at)
    if "anyOf" in schema:
        found = [list(_complaints(one, value, root, at)) for one in schema["anyOf"]]
        yield from () if not all(found) else min(found, key=len)
    if "type" in schema and not _is_of(value, schema["type"]):
        yield f"{at}: {value!r} is no {schema['type']}"
        return
    if "enum" in schema and value not in schema["enum"]:
        yield f"{at}: {value!r} is none of {schema['enum']}"
    if "minimum" in schema and value < schema["minimum"]:
        yield f"{at}: {value!r} is too small"
    if isinstance(value, dict):
        yield from _object_complaints(schema, value, root, at)
    if isinstance(value, list):
        if len(value) < schema.get("minItems", 0):
            yield f"{at}: too short"
        for number, item in enumerate(value):
            yield from _complaints(schema.get("items", {}), item, root, f"{at}[{number}]")


def complaints(path, value):
    """Everything in which `value` is not as the schema in the file at `path` says."""
    root = json.loads(path.read_text())
    return list(_complaints(root, value, root, "$"))
