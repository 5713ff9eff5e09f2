import pytest

from vdata.datasets import DATASETS
from vdata.errors import UnknownNameError
from vdata.extract import EXTRACTORS
from vdata.methods import METHODS
from vdata.table import Table


@pytest.mark.parametrize(
    ("table", "names"),
    [
        (DATASETS, {"folder", "kinetics400", "sample", "ucf101"}),
        (EXTRACTORS, {"keyframes", "motion"}),
        (METHODS, {"simclr"}),
    ],
)
def test_the_tables_fill_themselves(table, names):
    assert names <= set(table)
    assert len(table) == len(list(table))
    assert all(name in table for name in names)


def test_an_unknown_name_gets_the_nearest_and_all():
    with pytest.raises(UnknownNameError) as caught:
        DATASETS["kinetcs400"]
    message = str(caught.value)
    assert message.startswith("no dataset is named 'kinetcs400'. Did you mean 'kinetics400'? Known: 50salads, audioset,")
    assert "kinetcs400" not in DATASETS


def test_two_things_of_one_name_are_a_bug():
    table = Table("thing", "vdata.datasets")
    table.add("x")(int)
    table.add("x")(int)  # the same thing again: a module imported twice
    with pytest.raises(ValueError, match="two things are named 'x'"):
        table.add("x")(str)


def test_every_entry_has_a_config_and_a_documented_file():
    for table in (DATASETS, EXTRACTORS, METHODS):
        for name in table:
            entry = table[name]
            assert entry.Config.__dataclass_params__.frozen, name
            entry.Config()  # every setting has a default
            assert entry.__doc__, name
