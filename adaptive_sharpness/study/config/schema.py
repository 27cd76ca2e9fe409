"""The JSON schema of a config, for editors: generated from the settings."""

from typing import Any

from adaptive_sharpness.study.config.study import Study


def json_schema() -> dict[str, Any]:
    """Return the schema, without what says nothing to an editor.

    Example:
        >>> json_schema()["properties"]["only"]["default"]
        ''
    """
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **_cleaned(Study.model_json_schema())}


def _cleaned(value: Any) -> Any:
    """Without defaults that are none, titles, which repeat the keys, and items of any kind."""
    if isinstance(value, list):
        return [_cleaned(entry) for entry in value]
    if not isinstance(value, dict):
        return value
    left_out = {"title"} if isinstance(value.get("title"), str) else set()
    left_out |= {"default"} if value.get("default", ...) is None else set()
    left_out |= {"items"} if value.get("items") == {} else set()  # of any kind
    closed = {"additionalProperties": False} if "patternProperties" in value else {}  # to names that are none
    return {**{key: _cleaned(entry) for key, entry in value.items() if key not in left_out}, **closed}
