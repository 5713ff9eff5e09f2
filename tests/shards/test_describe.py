from pathlib import Path

from vdata.extract import EXTRACTORS
from vdata.records import Field
from vdata.shards.describe import readme
from vdata.shards.schema import COLUMNS, ERROR_COLUMNS


def test_the_readme_is_the_one_that_the_code_makes():
    made = [EXTRACTORS[name](EXTRACTORS[name].Config()) for name in EXTRACTORS]
    fields = [field for extractor in made for field in extractor.fields]
    columns = [column for extractor in made for column in extractor.columns]
    assert (Path(__file__).parents[2] / "shards" / "README.md").read_text() == readme(fields, columns)


def test_every_column_and_field_has_its_line():
    text = readme([Field("flow", "flow.npy", "float16", "T H W 2", "pixels a frame", "a | b")])
    for column in (*COLUMNS, *ERROR_COLUMNS):
        assert f"| `{column.name}` |" in text
        assert column.doc.endswith(".")
    assert r"| `.flow.npy` | Field `flow`: float16, axes T H W 2, pixels a frame. a \| b |" in text
