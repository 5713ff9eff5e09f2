"""What is listed and opened on other machines: an S3 server and a web server on localhost, and fsspec's memory."""

import base64
import os
import socket
import sys
from pathlib import Path

import fsspec
import pytest

from vdata.errors import ConfigError, MissingExtraError, OpenError
from vdata.media.config import LimitConfig
from vdata.media.remote import RemoteObject, as_media_error, check_scheme, is_final, list_objects
from vdata.media.url import RemoteRoot

HERE = Path()
LIMITS = LimitConfig(answer_seconds=5)
ODD = ("-dash.mp4", "q'\".mp4", "é/ü.mp4", "100%41?x=1#y.mp4", "a b+c&d=e.mp4", "[1]*.mp4", "b/../c.mp4", "zip::z.mp4")


def opened(root, source, start=0, mark=""):
    with RemoteObject.of(root, source, LIMITS).open(start, mark) as reading:
        return reading.start, reading.num_bytes, reading.mark, reading.read(1000)


def test_an_s3_listing_knows_every_name_and_size_of_its_prefix(s3):
    names = {name: number for number, name in enumerate(ODD)}
    bucket = s3({f"pre/{name}": b"x" * number for name, number in names.items()} | {"pre2/no.mp4": b"", "pre/folder/": b""})
    for root in (f"{bucket}/pre", f"{bucket}/pre/"):
        assert dict(list_objects(RemoteRoot(root))) == names


def test_a_listing_asks_nothing_about_single_objects(s3, wire):
    bucket = s3({f"pre/{number:04d}/a.mp4": b"x" for number in range(60)})
    assert len(list(list_objects(RemoteRoot(f"{bucket}/pre")))) == 60
    assert wire.upstream.count(b"http/1.1\r\n") == wire.upstream.count(b"list-type=2") == 1


@pytest.mark.parametrize("name", ODD)
def test_an_object_is_read_by_the_name_it_was_listed_under(s3, name):
    bucket = s3({f"pre/{name}": name.encode(), "pre/other.mp4": b"other"})
    assert opened(RemoteRoot(f"{bucket}/pre"), name)[3] == name.encode()


def test_a_name_of_any_characters_is_read(s3):
    root = RemoteRoot("memory://deep/root")
    files = fsspec.filesystem("memory")
    for name in ("new\nline.mp4", "a//b.mp4", "tab\t.mp4"):
        files.pipe(f"/deep/root/{name}", name.encode())
        assert opened(root, name)[3] == name.encode()
    assert dict(list_objects(root))["new\nline.mp4"] == 12
    files.rm("/deep", recursive=True)


def test_a_root_that_cannot_be_listed_says_why_without_its_secrets(s3, monkeypatch):
    with pytest.raises(ConfigError, match="a web server has no listing"):
        list(list_objects(RemoteRoot("https://host/folder")))
    with pytest.raises(ConfigError, match=r"'nope://x' cannot be listed: .*nope"):
        list(list_objects(RemoteRoot("nope://x")))
    with pytest.raises(ConfigError, match=r"cannot be listed: .*bucket does not exist"):
        list(list_objects(RemoteRoot("s3://nobody-has-this")))
    assert list(list_objects(RemoteRoot(s3({}) + "/nothing"))) == []


def test_a_page_is_read_from_any_byte_while_it_is_the_same(web):
    web.pages["/a.mp4"] = page = web.Page(b"0123456789", headers={"ETag": '"one"'})
    url = web.url("/a.mp4")
    assert opened(HERE, url) == (0, 10, '"one"', b"0123456789")
    assert opened(HERE, url, 4, '"one"') == (4, 10, '"one"', b"456789")
    page.headers["ETag"] = '"two"'
    assert opened(HERE, url, 4, '"one"') == (0, 10, '"two"', b"0123456789")
    assert opened(HERE, url, 4, "") == (0, 10, '"two"', b"0123456789")
    assert [method for method, *_ in web.asked] == ["GET"] * 4


@pytest.mark.parametrize(
    ("headers", "mark", "num_bytes"),
    [
        ({"ETag": 'W/"weak"'}, "", 4),
        ({"ETag": 'W/"weak"', "Last-Modified": "Mon, 02 Nov 2026 10:00:00 GMT"}, "Mon, 02 Nov 2026 10:00:00 GMT", 4),
        ({"Content-Length": ""}, "", -1),
    ],
)
def test_what_a_page_does_not_promise_is_not_assumed(web, headers, mark, num_bytes):
    web.pages["/a"] = web.Page(b"data", headers=headers)
    assert opened(HERE, web.url("/a")) == (0, num_bytes, mark, b"data")


def test_a_url_is_asked_for_as_it_was_signed(web):
    web.pages["/a%2Fb%20c%C3%A9.mp4"] = web.Page(b"data")
    assert opened(HERE, web.url("/a%2Fb%20c%C3%A9.mp4?Signature=a%2Bb%3D&x=y+z"))[3] == b"data"
    assert opened(HERE, web.url("/a%2Fb cé.mp4"))[3] == b"data"
    assert web.asked[0][1] == "/a%2Fb%20c%C3%A9.mp4?Signature=a%2Bb%3D&x=y+z"


def test_a_user_and_a_password_are_given_to_the_server(web):
    web.pages["/a"] = web.Page(b"data")
    assert opened(HERE, web.url("/a", "me:p%40ss@"))[3] == b"data"
    assert web.logins == ["Basic " + base64.b64encode(b"me:p@ss").decode()]


def test_an_object_that_changed_is_read_from_its_start(s3):
    root = RemoteRoot(s3({"a.mp4": b"0123456789"}))
    mark = opened(root, "a.mp4")[2]
    assert opened(root, "a.mp4", 6, mark)[::3] == (6, b"6789")
    s3({"a.mp4": b"abcdefghij"})
    assert opened(root, "a.mp4", 6, mark)[::3] == (0, b"abcdefghij")


def test_unknown_schemes_are_known_before_a_build(monkeypatch):
    assert check_scheme("s3://bucket/key")
    assert check_scheme("zip://a.mp4::https://host/z.zip")
    assert not check_scheme("htps://host/a.mp4")
    with pytest.raises(OpenError, match="bad_url"):
        RemoteObject.of(HERE, "htps://user:word@host/a.mp4", LIMITS)


def test_a_package_that_is_missing_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    with pytest.raises(MissingExtraError, match=r"reading gs:// needs the package 'gcsfs'.*'\.\[remote\]'"):
        check_scheme("gs://bucket/a.mp4")
    monkeypatch.setitem(sys.modules, "fsspec", None)
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    with pytest.raises(MissingExtraError, match="needs the package 'fsspec"):
        check_scheme("https://host/a.mp4")


def test_words_about_an_error_have_no_secret_and_one_line():
    error = as_media_error(ConnectionError("no way to\nhttps://user:word@host/a?sig=abc"), "a.mp4")
    assert error.retryable
    assert str(error) == "download: 'a.mp4' cannot be downloaded: ConnectionError: no way to https://host/a?sig=..."
    assert as_media_error(FileNotFoundError("x"), "a.mp4").reason == "missing"


def test_a_host_that_nobody_has_is_not_asked_for_again():
    assert is_final(socket.gaierror(socket.EAI_NONAME, "Name or service not known"))
    assert not is_final(socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"))
    assert not is_final(ConnectionResetError(104, "reset"))


def test_the_users_own_configuration_is_kept(monkeypatch, s3):
    s3({})
    monkeypatch.setitem(fsspec.config.conf, "s3", {"config_kwargs": {"read_timeout": 77}})
    item = RemoteObject.of(RemoteRoot("s3://bucket"), "a.mp4", LIMITS)
    assert item.filesystem.config_kwargs["read_timeout"] == 77
    assert item.filesystem.config_kwargs["connect_timeout"] == 5
    assert os.environ["AWS_ENDPOINT_URL"].startswith("http://127.0.0.1")
