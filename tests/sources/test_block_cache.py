"""The block cache: what is kept is used again, and only if it is what it says it is."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mixtura import open_rows
from mixtura.source import cache
from mixtura.source.ahead import read_ahead
from mixtura.table import RowReader


@pytest.fixture
def data(tmp_path: Path, rng: np.random.Generator) -> Path:
    np.savetxt(tmp_path / "rows.csv", rng.normal(size=(3000, 3)), delimiter=",", header="a,b,c", comments="")
    return tmp_path / "rows.csv"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "cache").mkdir()
    return tmp_path / "cache"


def rows_of(reader: RowReader) -> Any:
    with reader.source() as source:
        return source.take(slice(None)).rows


def kept(data: Path, folder: Path, **options: Any) -> RowReader:
    return open_rows(data, cache_folder=folder, keep_cache=True, **options)


def count_writers(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    writers: list[int] = []
    original = cache.CacheWriter.__init__

    def counted(self: Any, *arguments: Any, **keywords: Any) -> None:
        writers.append(1)
        original(self, *arguments, **keywords)

    monkeypatch.setattr(cache.CacheWriter, "__init__", counted)
    return writers


def test_a_kept_cache_is_read_instead_of_the_files(
    data: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writers = count_writers(monkeypatch)
    first = rows_of(kept(data, folder))
    assert np.array_equal(rows_of(kept(data, folder)), first)
    assert len(writers) == 1
    assert sorted(path.suffix for path in folder.iterdir()) == [".json", ".rows", ".weights"]


@pytest.mark.parametrize("change", ["content", "time", "columns", "weights", "truncated", "header", "emptied"])
def test_a_cache_of_something_else_is_not_trusted(
    change: str, data: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows_of(kept(data, folder))
    writers = count_writers(monkeypatch)
    options: dict[str, Any] = {}
    header, rows, _ = sorted(folder.iterdir())
    if change == "content":
        data.write_text(data.read_text().replace("a,b,c", "a,b,c\n1,2,3", 1))
    elif change == "time":
        os.utime(data, ns=(1, 1))
    elif change == "columns":
        options["columns"] = ["c", "a"]
    elif change == "weights":
        data.write_text(data.read_text().replace("-", ""))
        rows_of(kept(data, folder))
        writers.clear()
        options["weights"] = "b"
    elif change == "truncated":
        rows.write_bytes(rows.read_bytes()[:-8])
    elif change == "header":
        header.write_text(header.read_text()[:-20])
    else:
        header.write_text("[]")
    found = rows_of(kept(data, folder, **options))
    assert len(writers) == 1
    assert np.array_equal(found, rows_of(open_rows(data, **options)))


def test_a_cache_that_is_not_kept_leaves_nothing(data: Path, folder: Path) -> None:
    with open_rows(data, cache_folder=folder).source() as source:
        assert source.n_rows == 3000
        assert not list(folder.iterdir()), "the file has no name: it cannot be left behind"


def test_a_full_disk_is_an_error_and_leaves_nothing(
    data: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(stream: Any, values: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(cache, "_write", full)
    with pytest.raises(OSError, match="block cache cannot be written: No space left") as error:
        rows_of(kept(data, folder))
    assert error.value.errno == errno.ENOSPC
    assert not list(folder.iterdir())


def test_a_folder_that_is_not_there_is_an_error(data: Path, folder: Path) -> None:
    with pytest.raises(OSError, match="block cache cannot be written"):
        rows_of(open_rows(data, cache_folder=folder / "none"))
    with pytest.raises(ValueError, match="needs a cache_folder"):
        open_rows(data, keep_cache=True)


def test_reading_ahead_keeps_the_order_and_the_error() -> None:
    def items() -> Any:
        yield from range(50)
        raise KeyError("the end")

    seen = []
    with pytest.raises(KeyError, match="the end"):
        for item in read_ahead(items()):
            seen.append(item)
    assert seen == list(range(50))


def test_reading_ahead_stops_when_nobody_reads() -> None:
    made = []

    def items() -> Any:
        for item in range(10**6):
            made.append(item)
            yield item

    for item in read_ahead(items()):
        if item == 3:
            break
    assert len(made) < 20
