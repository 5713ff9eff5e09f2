"""`make docs`: writes the generated parts of the documentation anew."""

from __future__ import annotations

from pathlib import Path

from vdata.datasets._page import page
from vdata.extract import EXTRACTORS
from vdata.shards.describe import readme

__all__ = ["shards_readme", "write_docs"]


def shards_readme() -> str:
    """The text of shards/README.md, with what every extractor declares under its default settings."""
    extractors = [EXTRACTORS[name](EXTRACTORS[name].Config()) for name in EXTRACTORS]
    fields = [field for extractor in extractors for field in extractor.fields]
    columns = [column for extractor in extractors for column in extractor.columns]
    return readme(fields, columns)


def write_docs(root: Path) -> None:
    """Writes the generated files below the repository's root."""
    (root / "shards/README.md").write_text(shards_readme(), encoding="utf-8")
    (root / "docs/datasets.md").write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    write_docs(Path.cwd())
