"""What a URL is, and what of it may be seen."""

import pickle
from pathlib import Path

import pytest

from vdata.media.url import RemoteRoot, is_url, local_path, parse_root, without_secrets


@pytest.mark.parametrize(
    ("typed", "is_remote"),
    [
        ("s3://bucket/a b/%20", True),
        ("simplecache::s3://bucket", True),
        ("zip://a.mp4::https://h/x.zip", True),
        ("relative/folder", False),
        ("/data//twice", False),
        ("C:/videos", False),
        ("a:b/c", False),
        ("http:/one-slash", False),
    ],
)
def test_a_url_has_a_scheme_and_two_slashes(typed, is_remote):
    assert is_url(typed) == is_remote
    assert parse_root(typed) == (RemoteRoot(typed) if is_remote else Path(typed))


def test_a_file_url_is_a_path():
    assert parse_root("file:///data/a%20b") == Path("/data/a b")
    assert local_path("file://localhost/x%ff.mp4") == Path("/x\udcff.mp4")
    assert local_path("https://h/file:///x") is None


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://user:pa@ss@host:8443/a@b.mp4", "https://host:8443/a@b.mp4"),
        ("ftp://u@host/x", "ftp://host/x"),
        ("https://h/v.mp4?id=12&Signature=abc%2F&Expires=9", "https://h/v.mp4?id=12&Signature=...&Expires=..."),
        ("https://h/v?X-Amz-Date=1&X-Amz-Credential=AK/2&part=2", "https://h/v?X-Amz-Date=...&X-Amz-Credential=...&part=2"),
        ("https://h/v?sv=2024&se=2026&sig=abc", "https://h/v?sv=2024&se=...&sig=..."),
        ("https://h/v?api_key=k&keyframe=3&access_token=t", "https://h/v?api_key=...&keyframe=3&access_token=..."),
        ("https://h/#token=abc", "https://h/#token=..."),
        ("zip://a.mp4::https://u:p@h/z.zip", "zip://a.mp4::https://h/z.zip"),
        ("s3://bucket/a@b?c=d#e.mp4", "s3://bucket/a@b?c=d#e.mp4"),
    ],
)
def test_secrets_are_not_shown(url, shown):
    assert without_secrets(url) == shown
    assert without_secrets(shown) == shown
    assert without_secrets(f"while reading '{url}': no") == f"while reading '{shown}': no"


def test_a_long_value_under_any_name_is_a_hash_that_tells_two_apart():
    one, two = (without_secrets(f"https://h/v?k={letter * 40}") for letter in "ab")
    assert one != two
    assert "aaaa" not in one
    assert without_secrets(one) == one


def test_a_root_shows_no_secret_and_travels_whole():
    root = RemoteRoot("sftp://user:word@host/folder")
    assert str(root) == "sftp://host/folder"
    assert "word" not in repr(root)
    assert pickle.loads(pickle.dumps(root)).url == root.url
    assert root.absolute() is root
