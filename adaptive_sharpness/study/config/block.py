"""What all blocks of a config have in common, and the kinds of values that stand in them."""

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

MOST = 4096  # models of a pool that the statistics can count


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("not printable")
    return text


Name = Annotated[
    str,
    StringConstraints(pattern="^[a-z][a-z0-9_]*$"),
    Field(description="A name of lower-case letters, digits and underscores"),
]
Text = Annotated[str, AfterValidator(_printable)]
Hash = Annotated[
    str,
    StringConstraints(pattern="^[0-9a-fA-F]{64}$", to_lower=True),
    Field(description="A sha256, 64 hexadecimal digits"),
]
Count = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0)]


class Block(BaseModel):
    """A block of a config: closed, so that a misspelt key is an error, and frozen."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    def canonical(self) -> dict[str, Any]:
        """Return what the block says without what is default, its keys sorted: equal for settings that are equal.

        Example:
            >>> class Stop(Block):
            ...     tolerance: float = 0.05
            ...     max_epochs: int
            >>> Stop(tolerance=0.05, max_epochs=3).canonical()
            {'max_epochs': 3}
        """
        return sorted_keys(self.model_dump(exclude_defaults=True))


class OpenBlock(Block):
    """A block that also holds options of what it names; these are checked against its signature."""

    model_config = ConfigDict(extra="allow")

    @property
    def options(self) -> dict[str, Any]:
        """All keys that the class does not know.

        Example:
            >>> class Optimiser(OpenBlock):
            ...     name: str
            >>> Optimiser(name="SGD", lr=0.1).options
            {'lr': 0.1}
        """
        return dict(self.model_extra or {})


def wanted(text: str, **constraints):
    """Return a field that says what is wanted in it, as the line about a wrong value will.

    Example:
        >>> wanted("A number above 0", gt=0).description
        'A number above 0'
    """
    return Field(description=text, **constraints)


def sorted_keys(value: Any) -> Any:
    """Return a value whose mappings have their keys sorted: Snakemake compares parameters as texts.

    Example:
        >>> sorted_keys({"b": 1, "a": [{"d": 2, "c": 3}]})
        {'a': [{'c': 3, 'd': 2}], 'b': 1}
    """
    if isinstance(value, dict):
        return {key: sorted_keys(value[key]) for key in sorted(value)}
    return [sorted_keys(entry) for entry in value] if isinstance(value, list) else value
