"""Settings of the stage that fetches data sets and prepares them."""

from typing import Annotated

from pydantic import Field, StringConstraints, model_validator

from adaptive_sharpness.study.config.block import Block, Count, Hash, Name, Text, wanted

FileName = Annotated[
    str,
    StringConstraints(pattern="^[A-Za-z0-9_][A-Za-z0-9._-]*$"),
    Field(description="A file name of letters, digits and . _ -, without a folder"),
]
Place = Annotated[Text, Field(min_length=1, description="Where the source keeps the file")]
PipOption = Annotated[
    str,
    StringConstraints(pattern="^(--python-version|--implementation|--abi|--platform|[A-Za-z0-9_.]+)$"),
    Field(description="One of --python-version, --implementation, --abi, --platform, or a value of these"),
]
PLACES = "A mapping from raw files to where the source keeps them"


class Source(Block):
    """A source: files, and one of directory, pypi (with sha256), debian, web"""

    files: dict[FileName, Place] = wanted(PLACES, min_length=1)
    also: dict[FileName, Place] = wanted(PLACES, min_length=1, default=None)
    directory: Text = wanted("A folder", min_length=1, default=None)
    pypi: Annotated[str, StringConstraints(pattern="^[A-Za-z0-9][A-Za-z0-9._-]*==[A-Za-z0-9.]+$")] = wanted(
        "A pinned package, name==version", default=None
    )
    debian: Annotated[str, StringConstraints(pattern="^[a-z0-9][a-z0-9.+-]+$")] = wanted("A package name", default=None)
    web: Annotated[Text, StringConstraints(pattern="^https?://")] = wanted(
        "An http or https address, of a zip archive or ending in a slash", default=None
    )
    sha256: Hash = wanted("A sha256, 64 hexadecimal digits", default=None)
    options: list[PipOption] = wanted(
        "Options of pip download: --python-version, --implementation, --abi, --platform, with their values",
        default=None,
    )

    @model_validator(mode="after")
    def _one_place(self):
        named = [kind for kind in ("directory", "pypi", "debian", "web") if getattr(self, kind) is not None]
        if len(named) != 1 or (named == ["pypi"] and self.sha256 is None):
            raise ValueError("not one place")
        return self


class Limit(Block):
    """How many examples of train and of test to keep, the first ones"""

    train: Count = wanted("A whole number of examples, at least 1", default=None)
    test: Count = wanted("A whole number of examples, at least 1", default=None)


class DatasetSettings(Block):
    """A mapping with sha256 and sources, or with raw"""

    raw: Name = wanted("Another data set of this config, whose raw files this one reads", default=None)
    sha256: dict[FileName, Hash] = wanted(
        "A mapping from raw files to their sha256, empty for a data set that reads none", default=None
    )
    sources: list[Source] = wanted(
        "A list of sources, each with one of directory, pypi, debian, web", min_length=1, default=None
    )
    limit: Limit = wanted("How many examples of train and of test to keep, the first ones", default=Limit())
