"""Fixtures that several folders of tests share."""

from __future__ import annotations

import contextlib
import math
import os
import re
import socket
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import av
import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from vdata.records import FeatureFile, Segment, Video
from vdata.shards.rows import write_rows

REPOSITORY = Path(__file__).parents[1]


def draw_frames(num_frames: int, size: tuple[int, int], velocity: tuple[float, float], seed: int = 0) -> np.ndarray:
    """(T, H, W, 3) uint8: a smooth texture that moves by `velocity` pixels a frame, sampled at subpixel positions."""
    width, height = size
    margin = int(np.ceil(np.abs(velocity).max() * num_frames)) + 16
    rng = np.random.default_rng(seed)
    texture = rng.integers(0, 256, ((height + 2 * margin) // 4, (width + 2 * margin) // 4, 3), dtype=np.uint8)
    texture = cv2.resize(texture, (width + 2 * margin, height + 2 * margin), interpolation=cv2.INTER_CUBIC)
    frames = []
    for t in range(num_frames):
        # dst(x) = src(x + margin - v t): the picture moves right for a positive vx.
        shift = np.array([[1, 0, margin - velocity[0] * t], [0, 1, margin - velocity[1] * t]], np.float32)
        flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
        frames.append(cv2.warpAffine(texture, shift, (width, height), flags=flags))
    return np.stack(frames)


def _write_video(path: Path, frames: np.ndarray, fps: Fraction = Fraction(25)) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=fps)
        stream.width, stream.height, stream.pix_fmt = frames.shape[2], frames.shape[1], "yuv420p"
        for array in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(array, "rgb24")))
        container.mux(stream.encode())


@pytest.fixture
def make_video(tmp_path: Path) -> Callable[..., Path]:
    """A function that writes a moving texture as a video file and returns its path."""

    def make(
        path: Path | str | None = None,
        *,
        num_frames: int = 48,
        size: tuple[int, int] = (128, 96),
        fps: float | Fraction = 25,
        velocity: tuple[float, float] = (2.0, 1.0),
        codec: str = "libx264",
        pix_fmt: str = "yuv420p",
        options: dict[str, str] | None = None,
        seed: int = 0,
    ) -> Path:
        path = tmp_path / (path or f"video-{len(list(tmp_path.iterdir()))}.mp4")
        path.parent.mkdir(parents=True, exist_ok=True)
        with av.open(str(path), "w") as container:
            stream = container.add_stream(codec, rate=Fraction(fps).limit_denominator(1001))
            stream.width, stream.height, stream.pix_fmt = size[0], size[1], pix_fmt
            stream.codec_context.thread_count = 1
            stream.options = {"crf": "16", "preset": "veryfast", **(options or {})} if codec == "libx264" else options or {}
            for array in draw_frames(num_frames, size, velocity, seed):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(array, "rgb24")))
            container.mux(stream.encode())
        return path

    return make


@pytest.fixture
def add_column() -> Callable[..., None]:
    """A function that gives the rows of one shard one more column, as `vdata add` does."""

    def add(folder: Path, shard: int, name: str, values: pa.Array) -> None:
        path = folder / f"clips-{shard:06d}.parquet"
        table = pq.read_table(path)
        write_rows(path, table.append_column(name, values))

    return add


@pytest.fixture(scope="session")
def build_listed() -> Callable[..., Path]:
    """A function that builds videos below a root into a folder, in this process, without a dataset that lists them."""
    # Here, since few tests build, and no other is to fail with the builder.
    from vdata.builder import resolve  # noqa: PLC0415
    from vdata.builder.build import finish, missing_orders  # noqa: PLC0415
    from vdata.builder.lock import sole_build  # noqa: PLC0415
    from vdata.builder.plan import make_plan  # noqa: PLC0415
    from vdata.builder.plan_file import read_plan, write_plan  # noqa: PLC0415
    from vdata.builder.state import open_build  # noqa: PLC0415
    from vdata.builder.task import build_shard  # noqa: PLC0415

    def build(root: Path, videos: list[Video], folder: Path, extract: tuple[str, ...] = (), **settings: object) -> Path:
        config = resolve("folder", extract, settings={"clip": {"short_side": 48, "gop": 6}} | settings)
        folder.mkdir(parents=True, exist_ok=True)
        with sole_build(folder) as run:
            open_build(folder, config, root, "")
            write_plan(folder, make_plan(root, videos, config.plan))
            plan = read_plan(folder)
            for order in missing_orders(folder, plan, config, root, run):
                build_shard(order)
            finish(folder, plan)
        return folder

    return build


@pytest.fixture
def orders_run_here(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What else runs on Ray runs in this process, but for networks; the numbers of the shards that were built."""
    # Here, as in build_listed.
    from vdata.builder import added, on_ray, repair  # noqa: PLC0415
    from vdata.builder.task import Order  # noqa: PLC0415

    built: list[int] = []

    def run_orders(orders, *_):
        for order in orders:
            if isinstance(order, Order):
                built.append(order.shard)
            yield order, order.execute()

    # The package's `build` is the function.
    for module in (sys.modules["vdata.builder.build"], added, on_ray, repair):
        monkeypatch.setattr(module, "run_orders", run_orders)
    return built


DOCUMENTS = ("The first document.", "The second: Ä, 深", "third", "four words are here", "the fifth")


@pytest.fixture(scope="session")
def bare_root(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Video]]:
    """Sources without pictures, and the videos that they are: five documents of one file, and three files of features.

    Features of file n are (10 + 5 n, 4), all n; their frames have the classes 0 and 1 in halves.
    """
    root = tmp_path_factory.mktemp("bare")
    videos, data = [], b""
    for number, document in enumerate(DOCUMENTS):
        line = document.encode()
        place = {"byte_range": (len(data), len(line)), "medium": "text"}
        videos.append(Video(f"document-{number}", "all.txt", label=number % 2, label_name="ab"[number % 2], **place))
        data += line + b"\n"
    (root / "all.txt").write_bytes(data)
    for number in range(3):
        count = 10 + 5 * number
        np.save(root / f"f{number}.npy", np.full((count, 4), number, np.float32))
        halves = Segment.runs([0] * (count // 2) + [1] * (count - count // 2))
        file = FeatureFile(f"f{number}.npy")
        videos.append(Video(f"features-{number}", file.source, medium="features", features=file, segments=halves))
    return root, videos


@pytest.fixture(scope="session")
def mixed_folder(build_listed: Callable[..., Path], bare_root, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The five documents, and five clips of 12 frames, of two videos; not to be changed."""
    root = tmp_path_factory.mktemp("mixed")
    (root / "all.txt").write_bytes((bare_root[0] / "all.txt").read_bytes())
    for name, count in (("short", 24), ("long", 36)):
        _write_video(root / f"{name}.mp4", draw_frames(count, (64, 48), (2.0, 1.0)))
    videos = [Video(name, f"{name}.mp4", label_name=name) for name in ("short", "long")]
    documents = [video for video in bare_root[1] if video.medium == "text"]
    clip = {"short_side": 48, "gop": 6, "seconds": 0.48, "min_seconds": 0.0}
    extract = ("keyframes", "motion", "curation", "text")
    return build_listed(root, [*documents, *videos], root / "shards", extract, clip=clip)


@pytest.fixture(scope="session", params=["tar", "parquet"])
def bare_folder(request, build_listed: Callable[..., Path], bare_root, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shards of those eight rows, with all that can be said of them; not to be changed."""
    extract = ("keyframes", "curation", "text", "frame_labels", "published")
    folder = tmp_path_factory.mktemp("bare-shards") / "shards"
    return build_listed(*bare_root, folder, extract, format=request.param)


@pytest.fixture(scope="session")
def videos_root() -> Path:
    """The folder of real videos: VDATA_TEST_VIDEOS, or `shared/videos` beside the checkout."""
    root = Path(os.environ.get("VDATA_TEST_VIDEOS", REPOSITORY.parent / "shared" / "videos"))
    if not root.is_dir():
        pytest.skip(f"no real videos at {root}; set VDATA_TEST_VIDEOS")
    return root


@pytest.fixture
def bytes_read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Sizes of all positioned reads."""
    sizes: list[int] = []
    pread = os.pread

    def counted(descriptor: int, size: int, offset: int) -> bytes:
        sizes.append(size)
        return pread(descriptor, size, offset)

    monkeypatch.setattr(os, "pread", counted)
    return sizes


@pytest.fixture(autouse=True)
def _restored_random_state():
    """Keeps one test's use of NumPy's global generator from reaching the next."""
    state = np.random.get_state()  # noqa: NPY002 - the global generator is what leaks
    yield
    np.random.set_state(state)  # noqa: NPY002


@dataclass
class Page:
    """What a web server answers under one path."""

    data: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cuts: list[int] = field(default_factory=list)
    """After how many bytes the connection ends, answer by answer; the whole is sent when none is left."""
    takes_ranges: bool = True
    release: threading.Event | None = None
    """An answer waits for it."""
    hold: threading.Event | None = None
    """The end of an answer waits for it."""


class WebServer(ThreadingHTTPServer):
    """A web server on localhost that misbehaves as its pages say; it answers ranges as RFC 9110 has it."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.pages: dict[str, Page] = {}
        self.asked: list[tuple[str, str, str]] = []
        """Method, path and Range of every request."""
        self.logins: list[str] = []
        """The Authorization of those that had one."""

    def url(self, path: str, user: str = "") -> str:
        return f"http://{user}127.0.0.1:{self.server_port}{path}"


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        wanted = self.headers.get("Range", "")
        self.server.asked.append((self.command, self.path, wanted))
        self.server.logins += [self.headers["Authorization"]] if "Authorization" in self.headers else []
        page = self.server.pages.get(self.path.partition("?")[0], Page(b"nothing here", 404))
        if page.release:
            page.release.wait(30)
        fresh = self.headers.get("If-Range", page.headers.get("ETag")) == page.headers.get("ETag")
        first = int(re.match(r"bytes=(\d+)-", wanted)[1]) if wanted and fresh and page.takes_ranges else 0
        body = page.data[first:]
        self.send_response(206 if first else page.status)
        if first:
            self.send_header("Content-Range", f"bytes {first}-{len(page.data) - 1}/{len(page.data)}")
        for name, value in ({"Content-Length": str(len(body))} | page.headers).items():
            if value:
                self.send_header(name, value)
        self.end_headers()
        with contextlib.suppress(ConnectionError):
            self.wfile.write(body[: page.cuts.pop(0)] if page.cuts else body)
            self.wfile.flush()
            if page.hold:
                page.hold.wait(30)
        self.close_connection = True

    do_HEAD = do_GET  # noqa: N815 - http.server's name

    def log_message(self, *_) -> None:
        pass


@pytest.fixture
def web(monkeypatch):
    """A WebServer; nothing between it and the test."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    with WebServer() as server:
        server.Page = Page
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(scope="session")
def _s3_server():
    from moto.server import ThreadedMotoServer  # noqa: PLC0415 - a second to import

    # Its log of requests goes nowhere else.
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def s3(_s3_server, monkeypatch):
    """A function that stores {key: bytes} in a fresh bucket of an S3 server on localhost and returns its URL; `s3.port`."""
    import boto3  # noqa: PLC0415 - as above
    import s3fs  # noqa: PLC0415 - as above

    host, port = _s3_server.get_host_and_port()
    values = {"ACCESS_KEY_ID": "key", "SECRET_ACCESS_KEY": "secret", "DEFAULT_REGION": "us-east-1"}
    for name, value in ({"ENDPOINT_URL": f"http://{host}:{port}"} | values).items():
        monkeypatch.setenv(f"AWS_{name}", value)
    for name in ("AWS_PROFILE", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    client, name = boto3.client("s3"), f"bucket-{os.urandom(6).hex()}"
    client.create_bucket(Bucket=name)

    def put(objects: dict[str, bytes]) -> str:
        for key, data in objects.items():
            client.put_object(Bucket=name, Key=key, Body=data)
        return f"s3://{name}"

    put.port, put.client, put.bucket = port, client, name
    yield put
    client.close()
    # The next test may have another endpoint.
    s3fs.S3FileSystem.clear_instance_cache()


@pytest.fixture
def on_s3(s3, tmp_path, monkeypatch):
    """A function that copies a shard folder to the S3 server and returns its URL. The cache is a new folder, pauses are none."""
    monkeypatch.setenv("VDATA_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("vdata.shards.remote.PAUSES", (0.0, 0.0))

    def copied(folder: Path, prefix: str = "shards/train") -> str:
        names = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]
        return f"{s3({f'{prefix}/{name}': (folder / name).read_bytes() for name in names})}/{prefix}"

    return copied


class Wire:
    """A way to a port of this machine; it ends one connection after `cut_after` bytes have come down."""

    def __init__(self, port: int) -> None:
        self._target, self._server = port, socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        self.cut_after = math.inf
        self.num_cut, self.num_down, self.upstream = 0, 0, b""
        """What was sent to the server, in lower case."""
        self._ends: list[socket.socket] = []
        self._start(self._accept)

    @property
    def num_requests(self) -> int:
        return self.upstream.count(b"http/1.1\r\n")

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
            self.num_down += len(data)
            self.cut_after -= len(data)
            if self.cut_after < 0 and not self.num_cut:
                self.num_cut = 1
                near.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def wire(s3, monkeypatch):
    """The way that S3 requests take from now on; it counts them."""
    import fsspec  # noqa: PLC0415 - an extra

    wire = Wire(s3.port)
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{wire.port}")
    fsspec.get_filesystem_class("s3").clear_instance_cache()
    yield wire
    wire.close()
