"""shards/README.md: the format for people. Its tables are made from the declarations, so they cannot fall behind."""

from __future__ import annotations

from collections.abc import Sequence

from vdata.records import Column, Field
from vdata.shards.schema import COLUMNS, ERROR_COLUMNS, FORMAT_VERSION

__all__ = ["readme"]

_TEMPLATE = """\
<!-- Written by `make docs` from vdata/shards; a test compares it. Change it there. -->
# Shards: the format on disk, version {version}

`vdata build` writes one folder a split, `shards/<dataset>/<split>`, or `shards/<dataset>` for a dataset without splits.
Everything in it is plain tar, Parquet, JSON and NumPy; nothing is pickled.

| File | What it is |
|---|---|
| `dataset.json` | Format version, every setting of the build, versions of the tools, sums that reconcile, state |
| `classes.json` | Class names by index: `label`, and as there may be `box`, `frame`, `tag`; "" is an index without a name |
| `plan.parquet` | Which video goes into which shard; written before anything is built |
| `clips-000000.tar` | A WebDataset tar: the members of one sample stand together, keys have no dots and no folders |
| `clips-000000.idx` | The index that DALI's `fn.readers.webdataset` wants (v1.2) |
| `clips-000000.parquet` | One row a clip. **The shard exists when this file does**: all else of it is in place before |
| `clips-000000.errors.parquet` | What this shard's task could not build |
| `clips-000000.sha256` | SHA-256 of the shard's other files, in `sha256sum`'s format |
| `errors.parquet` | All of those, and what the listing skipped |
| `removed.parquet` | Clips and videos that `vdata remove` took out; no later build brings them back |
| `SHA256SUMS` | SHA-256 of the files that belong to no shard; written last, when a build is complete |
| `index/` | Flat arrays for the loader and its filters, made from the rows by `vdata index`, remade when stale; safe to delete |
| `.tmp/` | Unfinished work; cleared when a build starts |
| `.ready/` | A finished shard on its way into another's place; there after a crash only, and the next build goes on |

With `--format parquet` there is no tar and no idx: the row file holds the members as well.

A shard whose videos all failed has a row file with 0 rows, and no tar and no idx: DALI and other readers refuse an empty
archive. So `clips-*.tar` names tars that can all be read, and `clips-*.parquet` names all the work that is done.

Tars are USTAR with mode 0644, owner 0 and time 0: equal samples give equal bytes. A shard is written below `.tmp`, synced
and renamed into place, the row file last. `sha256sum --check --quiet *.sha256 SHA256SUMS` checks a folder without vdata.

What is removed is remembered by name: `removed.parquet` keeps the keys and video ids, `plan.parquet` the videos' names, labels
and sources, for without them the next listing would find such a video new and build it again.

## Reading

```python
import vdata

shards = vdata.open_shards("shards/sample/train")
sample = shards[0]                    # or shards["some-key"], or a loop
sample.row["label_name"]              # the columns below
sample["mp4"]                         # a member's bytes
sample.frames(0, 16, 2)               # uint8 (T, H, W, 3), reads and decodes only the GOPs it needs
sample.keyframe(1)                    # one small read
grid, kind = sample.motion()
some = vdata.open_shards("shards/sample/train", where="num_frames >= 32 and label in (1, 2)")  # see docs/filters.md
```

Any WebDataset reader can read the tars; the `.json` member is the row without `members`, so a tar alone is enough.

The column `members` says of each member in which file it is, and where its bytes start there. That holds for both formats, and
is all that the loader needs: one positioned read, whatever the format, gives a fragment, a packet or a whole member.

### `--format parquet`

The row file holds the members too, in a binary column each, named by extension (`mp4`, `motion.npz`); a sample without a
member has a null. There is no tar, no idx and no `json` member. Any reader of Parquet can read it:

```python
import pyarrow.parquet as pq

table = pq.read_table("shards/sample-parquet/train/clips-000000.parquet", columns=["key", "label", "mp4"])
```

A row group has 16 clips, or fewer that fill 8 MiB. Cells are neither compressed nor in a dictionary, the other columns are
compressed with zstd; pages have checksums. In a row group the cells of one column are one page, so the bytes of each stand
whole in the file, at the `offset` that its row names. A copy that another tool has written (DuckDB, Spark) has the same cells
at other places: read it with a reader of Parquet, not with vdata.

The same videos and settings give the same rows, members and, for the same seed, the same batches in both formats. Folders may
hold shards of both.

## The video

`.mp4` is H.264 in fragmented MP4, one fragment a GOP, nothing behind the last. `mp4[:init_size]` followed by any of the
fragments is a valid MP4 whose frames are the same, bit for bit, as in the whole. A frame's number is its pts over its
duration. The picture is the rectangle `picture` of the coded frame; what lies right of it and below repeats its edge.

## Members

As the extractors' default settings make them. `motion.form=vectors` stores `.vectors.npz` in place of `.motion.npz`.
`--keyframes jpeg` adds `.keyframes.mjpeg`, the keyframes as JPEGs one behind the other, and the column `keyframe_jpegs`, the
byte range of each. `vdata add features` makes `.features.npy`, which `published` makes of a dataset's own, by a network: float16
`(T', D)`, where row i is of the frames around frame i * `feature_stride`.

A row without a video, as a document or features alone, has no `.mp4`: `num_frames` is 0, `codec` empty, `fragments` too.

{members}

## Columns of a row

{columns}
{declared}
## Columns of errors.parquet

{errors}
"""


def readme(fields: Sequence[Field] = (), columns: Sequence[Column] = ()) -> str:
    """The text of shards/README.md, with the members and columns that these extractors declare."""
    own = [
        ("`.mp4`", "The clip."),
        *((f"`.{field.ext}`", _field_text(field)) for field in fields),
        ("`.json`", "The row; in tars only."),
    ]
    declared = f"\nAnd those that the extractors add:\n\n{_column_table(columns)}\n" if columns else ""
    return _TEMPLATE.format(
        version=FORMAT_VERSION,
        members=_table(("Member", "Content"), own),
        columns=_column_table(COLUMNS),
        declared=declared,
        errors=_column_table(ERROR_COLUMNS),
    )


def _field_text(field: Field) -> str:
    return f"Field `{field.name}`: {field.dtype}, axes {field.axes}, {field.unit}. {field.doc}"


def _column_table(columns: Sequence[Column]) -> str:
    return _table(("Column", "Type", "Content"), [(f"`{column.name}`", _type_text(column), column.doc) for column in columns])


def _type_text(column: Column) -> str:
    """Arrow's own words, less the name that it gives a list's items and with NumPy's name of a double."""
    return f"{column.type}".replace("item: ", "").replace("double", "float64")


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
