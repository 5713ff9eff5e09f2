"""A thread that makes batches while the caller trains on the last one."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from vdata.config import check

__all__ = ["Made", "Place", "Prefetcher"]

_LOOK = 0.2
"""Seconds after which a thread that waits for the other looks whether that is still there. What comes sooner wakes it."""

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
        self._ready: queue.Queue[Made | BaseException] = queue.Queue()

    def take(self, place: Place) -> Made:
        """The batch of a place; quick if it is the one behind the last that was taken.

        Raises:
            BaseException: whatever making the batch raised.
            ConfigError: it was closed, by a signal's handler or another thread, while this one waited.
        """
        if self._thread is None or place != self._next:
            self._start(place)
        # Until the batch is out: an interrupt in between must not leave the queue one ahead of what is asked next.
        self._next = None
        made = self._wait()
        if isinstance(made, BaseException):
            self.close()
            raise made
        self._next = made.following
        return made

    def abandon(self) -> None:
        """Tells the thread to end, and does not wait for it: whoever lets go of a loader may be the thread that it waits for."""
        self._stop.set()

    def close(self) -> None:
        """Ends the thread, and forgets what it has made."""
        self.abandon()
        thread, self._thread = self._thread, None
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def _wait(self) -> Made | BaseException:
        """The next that is ready."""
        stop, ready, thread = self._stop, self._ready, self._thread
        while True:
            try:
                return ready.get(timeout=_LOOK)
            except queue.Empty:
                check(not stop.is_set(), "ClipIterator", "closed", "cannot give batches any more: make another")
                if thread is not None and not thread.is_alive() and ready.empty():
                    msg = "the loader's thread has ended without a word"
                    raise RuntimeError(msg) from None

    def _start(self, place: Place) -> None:
        self.close()
        self._stop, self._ready = threading.Event(), queue.Queue(maxsize=1)
        arguments = (self._stream(place), self._ready, self._stop)
        # A daemon: the interpreter waits for other threads before it runs the loader's own clean-up.
        self._thread = threading.Thread(target=_run, args=arguments, name="vdata-batches", daemon=True)
        self._thread.start()


def _run(stream: Iterator[Made], ready: queue.Queue[Made | BaseException], stop: threading.Event) -> None:
    try:
        for made in stream:
            _put(made, ready, stop)
            if stop.is_set():
                return
    except BaseException as error:  # noqa: BLE001 - raised again by take(), in the caller's thread
        _put(error, ready, stop)


def _put(made: Made | BaseException, ready: queue.Queue[Made | BaseException], stop: threading.Event) -> None:
    """Waits for room in the queue, but not for ever: nobody takes from that of a loader which was let go."""
    while not stop.is_set():
        try:
            ready.put(made, timeout=_LOOK)
        except queue.Full:
            continue
        return
