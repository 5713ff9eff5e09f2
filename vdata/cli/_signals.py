"""Ctrl-C and SIGTERM as one exception, so that what runs is left in order."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

__all__ = ["Stopped", "end_at_once", "stopping_in_order"]

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stopped(KeyboardInterrupt):
    """A signal asked the program to end."""

    def __init__(self, number: int) -> None:
        """Keeps which."""
        super().__init__(signal.Signals(number).name)
        self.number = number

    @property
    def name(self) -> str:
        """Such as SIGINT."""
        return signal.Signals(self.number).name

    @property
    def exit_status(self) -> int:
        """What a shell reports for a program that the signal ended."""
        return 128 + self.number


@contextmanager
def stopping_in_order() -> Iterator[None]:
    """While the block runs, the first signal raises Stopped in it; a second one ends the process at once.

    That is as safe as `kill -9`: children end with the process, and what is half done does not count.
    """
    asked = 0

    def stop(number: int, frame: FrameType | None) -> None:
        del frame
        nonlocal asked
        if asked:
            os._exit(128 + number)
        asked = number
        raise Stopped(number)

    before = {number: signal.signal(number, stop) for number in _SIGNALS}
    try:
        yield
    except KeyboardInterrupt as error:
        # Ray's calls make a plain KeyboardInterrupt of whatever a handler raises.
        if asked and not isinstance(error, Stopped):
            raise Stopped(asked) from error
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def end_at_once(status: int) -> NoReturn:
    """Ends the process without the interpreter's own tidying, in which Ray's threads crash when its start was interrupted."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
