import pytest

from vdata.bench import Figure
from vdata.bench.plot import growth_lines, plot_growth
from vdata.errors import ConfigError


def figure(variant, value, **detail):
    return Figure(
        "grow", variant, value, "clips/s", value, value, {}, 0.0, detail={k.replace("_", " "): v for k, v in detail.items()}
    )


FIGURES = [
    figure("load 10000", 90.0),
    figure("load 1000", 100.0),
    figure("resume 10000", 5.0, seconds=0.2),
    figure("open 10000", 1.0, open_seconds=0.1, shuffle_seconds=0.01, open_MB=1.0, own_MB=2.0, peak_MB=3.0),
    figure("open 1000000", 1.0, open_seconds=0.2, shuffle_seconds=0.1, open_MB=10.0, own_MB=20.0, peak_MB=30.0),
]


def test_lines_ascend_by_the_number_of_clips():
    lines = growth_lines(FIGURES)
    assert lines["clips/s"] == [(1000, 100.0), (10000, 90.0)]
    assert lines["peak MB"] == [(10000, 3.0), (1000000, 30.0)]
    assert set(lines) == {"clips/s", "open seconds", "shuffle seconds", "open MB", "own MB", "peak MB"}


def test_a_figure_is_drawn(tmp_path):
    pytest.importorskip("matplotlib")
    plot_growth(FIGURES, tmp_path / "figures/grow.svg")
    text = (tmp_path / "figures/grow.svg").read_text()
    assert text.count("<svg") == 1
    assert text.count('<g id="axes_') == 3


def test_other_cases_have_no_such_figure(tmp_path):
    with pytest.raises(ConfigError, match="--only grow --plot FILE"):
        growth_lines([Figure("load", "load 1", 1.0, "clips/s", 1.0, 1.0, {}, 0.0)])
