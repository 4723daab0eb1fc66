"""Where the blocks of N rows begin and end."""

from __future__ import annotations

__all__ = ["PART_ROWS", "block_slices", "part_slices"]

MAX_BLOCKS = 64  # enough for dozens of threads to stay busy, few enough to merge for free
MIN_BLOCK_ROWS = 1920  # a shorter block costs more to hand out than to compute
MAX_BLOCK_ROWS = 24_576  # a longer one would make the memory that a file is read with grow with the file
TILE_ROWS = 192  # whole tiles of the native kernel at every instruction set

#: Rows that are grouped by their missing values at a time.
PART_ROWS = 131_072


def block_slices(n_rows: int) -> list[slice]:
    """Boundaries of the blocks of N rows; a function of N alone, so that sums are reproducible."""
    tiles = -(-n_rows // (MAX_BLOCKS * TILE_ROWS))
    step = min(max(MIN_BLOCK_ROWS, tiles * TILE_ROWS), MAX_BLOCK_ROWS)
    return _slices(n_rows, step)


def part_slices(n_rows: int) -> list[slice]:
    """Boundaries of the parts of N rows that have missing values; a function of N alone."""
    return _slices(n_rows, PART_ROWS)


def _slices(n_rows: int, step: int) -> list[slice]:
    return [slice(start, min(start + step, n_rows)) for start in range(0, n_rows, step)]
