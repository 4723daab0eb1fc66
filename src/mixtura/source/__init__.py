"""Sources: a rack of places where the blocks of rows come from."""

from __future__ import annotations

from mixtura.source.arrays import ArraySource
from mixtura.source.file import FileSource, Matrix, SourceFileError
from mixtura.source.parted import PartedSource
from mixtura.source.partition import block_slices
from mixtura.source.protocol import Block, Rows, Source
from mixtura.source.sampling import sampled

__all__ = [
    "ArraySource",
    "Block",
    "FileSource",
    "Matrix",
    "PartedSource",
    "Rows",
    "Source",
    "SourceFileError",
    "block_slices",
    "sampled",
]
