"""A thread that makes batches while the caller trains on the last one."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Made", "Place", "Prefetcher"]

Place = tuple[int, int]
"""Epoch, and batch within it."""


@dataclass(frozen=True, slots=True)
class Made:
    """A batch, ready to be handed out."""

    batch: dict[str, Any]
    skipped: Sequence[str]
    """What is wrong with each unusable clip that was replaced in it."""
    following: Place | None
    """The batch that is made next; None after the last."""


class Prefetcher:
    """Runs a stream of batches in a thread, one ahead of the caller."""

    def __init__(self, stream: Callable[[Place], Iterator[Made]]) -> None:
        """Takes the function that makes all batches from a place on; starts no thread yet."""
        self._stream = stream
        self._next: Place | None = None
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self._ready: queue.Queue[Made | Exception] = queue.Queue()

    def take(self, place: Place) -> Made:
        """The batch of a place; quick if it is the one behind the last that was taken.

        Raises:
            Exception: whatever making the batch raised.
        """
        if self._thread is None or place != self._next:
            self._start(place)
        # Until the batch is out: an interrupt in between must not leave the queue one ahead of what is asked next.
        self._next = None
        made = self._ready.get()
        if isinstance(made, Exception):
            self.close()
            raise made
        self._next = made.following
        return made

    def close(self) -> None:
        """Ends the thread, and forgets what it has made."""
        if self._thread is None:
            return
        self._stop.set()
        while self._thread.is_alive():
            # It may be waiting for room in the queue.
            while not self._ready.empty():
                self._ready.get()
            self._thread.join(0.01)
        self._thread = None

    def _start(self, place: Place) -> None:
        self.close()
        self._stop, self._ready = threading.Event(), queue.Queue(maxsize=1)
        arguments = (self._stream(place), self._ready, self._stop)
        # A daemon: the interpreter waits for other threads before it runs the loader's own clean-up.
        self._thread = threading.Thread(target=_run, args=arguments, name="vdata-batches", daemon=True)
        self._thread.start()


def _run(stream: Iterator[Made], ready: queue.Queue[Made | Exception], stop: threading.Event) -> None:
    try:
        for made in stream:
            ready.put(made)
            if stop.is_set():
                return
    except Exception as error:  # noqa: BLE001 - raised again by take(), in the caller's thread
        ready.put(error)
