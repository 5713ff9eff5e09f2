import pickle

import pytest

from vdata import errors
from vdata.errors import DecodeError, MissingExtraError, OpenError, UnknownNameError, VdataError


def test_every_error_is_listed_and_one_of_ours():
    listed = {getattr(errors, name) for name in errors.__all__}
    defined = {value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, Exception)}
    assert listed == defined
    assert all(issubclass(error, VdataError) for error in defined)


@pytest.mark.parametrize(
    "error",
    [
        UnknownNameError("method", "cdm", ["cmd", "be"]),
        MissingExtraError("building", "ray", "pip install '.[build]'"),
        OpenError("not_video", "'x' is none", "tail"),
        DecodeError("timeout", "took too long", retryable=True),
    ],
)
def test_errors_travel_between_processes_whole(error):
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert vars(again) == vars(error)


def test_the_nearest_name_is_offered():
    message = str(UnknownNameError("method", "cdm", ["simclr", "cmd"]))
    assert message == "no method is named 'cdm'. Did you mean 'cmd'? Known: cmd, simclr"
    assert "Did you mean" not in str(UnknownNameError("method", "zzz", ["simclr"]))
