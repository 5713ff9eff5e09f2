"""`vdata show`: one sample on a page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from vdata.errors import ConfigError

if TYPE_CHECKING:
    from vdata.shards import Sample, Shards

__all__ = ["command"]

_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")


@click.command("show")
@click.argument("shards", type=click.Path(path_type=Path))
@click.option("--key", help="The sample's key.")
@click.option("--index", type=int, help="The sample's number; negative ones count from the end.  [default: 0]")
@click.option(
    "--frames",
    default="",
    metavar="N,N,...",
    help="Frames by their numbers.  [default: at most 16: the keyframes, and frames with boxes]",
)
@click.option("--every", type=click.IntRange(min=1), help="Every so many frames, at most 16 of them.")
@click.option("--motion", is_flag=True, help="Draw the motion as arrows.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="The picture.  [default: KEY.png in this folder]")
def command(
    shards: Path, key: str | None, index: int | None, frames: str, every: int | None, out: Path | None, *, motion: bool
) -> None:
    """Draw one sample on a page: frames, boxes, tracklets, sound, words, classes of frames.

    \b
    vdata show shards/sample/train
    vdata show shards/mine --key some-key --every 8 --motion --out page.png
    """  # noqa: D301 - click's mark is the character itself
    import cv2

    from vdata.config import from_mapping
    from vdata.shards import open_shards
    from vdata.shards.contact_sheet import SheetConfig, contact_sheet

    if out and out.suffix.lower() not in _SUFFIXES:
        raise ConfigError(f"--out ('{out}') must end in one of {', '.join(_SUFFIXES)}")
    samples = open_shards(shards)
    sample = _sample(samples, key, index)
    numbers = [int(number) if number.strip().isdecimal() else number for number in frames.split(",") if number.strip()]
    config = from_mapping(SheetConfig, {"frames": numbers, "every": every or 0, "motion": motion}, "--")
    page = contact_sheet(sample, config, samples.classes)
    path = out or Path(f"{sample.key}.png")
    path.parent.mkdir(parents=True, exist_ok=True)
    _, data = cv2.imencode(path.suffix, cv2.cvtColor(page, cv2.COLOR_RGB2BGR))
    path.write_bytes(data.tobytes())
    click.echo(f"{path}: {page.shape[1]} x {page.shape[0]}, {sample!r}")


def _sample(samples: Shards, key: str | None, index: int | None) -> Sample:
    """The sample of a key or a number."""
    if key is not None and index is not None:
        raise click.UsageError("--key and --index name one sample each: give one of them")
    try:
        return samples[key if key is not None else index or 0]
    except KeyError as error:
        raise ConfigError(f"--key ('{key}') names none of the {len(samples)} samples of '{samples.index.folder}'") from error
    except IndexError as error:
        raise ConfigError(
            f"--index ({index or 0}) must lie below the {len(samples)} samples of '{samples.index.folder}'"
        ) from error
