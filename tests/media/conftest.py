"""A folder for downloads, and a wire between a client and the S3 server that counts, and cuts."""

import contextlib
import math
import socket
import tempfile
import threading

import fsspec
import pytest

import vdata.media.download


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """A temporary folder of its own, which is empty afterwards, and no pauses between the tries of a download."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.setattr(vdata.media.download, "PAUSES", (0.0, 0.0))
    yield folder
    assert not list(folder.iterdir())


class Wire:
    """A way to a port of this machine; it ends one connection after `cut_after` bytes have come down."""

    def __init__(self, port: int) -> None:
        self._target, self._server = port, socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        self.cut_after = math.inf
        self.num_cut, self.upstream = 0, b""
        """What was sent to the server, in lower case."""
        self._ends: list[socket.socket] = []
        self._start(self._accept)

    def close(self) -> None:
        for end in (self._server, *self._ends):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _start(self, work, *args) -> None:
        def run():
            with contextlib.suppress(OSError):
                work(*args)

        threading.Thread(target=run, daemon=True).start()

    def _accept(self) -> None:
        while True:
            near, _ = self._server.accept()
            far = socket.create_connection(("127.0.0.1", self._target))
            self._ends += [near, far]
            self._start(self._up, near, far)
            self._start(self._down, far, near)

    def _up(self, near: socket.socket, far: socket.socket) -> None:
        while data := near.recv(65536):
            self.upstream += data.lower()
            far.sendall(data)

    def _down(self, far: socket.socket, near: socket.socket) -> None:
        while data := far.recv(65536):
            near.sendall(data)
            self.cut_after -= len(data)
            if self.cut_after < 0 and not self.num_cut:
                self.num_cut = 1
                near.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def wire(s3, monkeypatch):
    """The way that S3 requests take from now on."""
    wire = Wire(s3.port)
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{wire.port}")
    fsspec.get_filesystem_class("s3").clear_instance_cache()
    yield wire
    wire.close()
