"""What is said where Dask is absent."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

__all__ = ["dask_needed"]


@contextlib.contextmanager
def dask_needed() -> Iterator[None]:
    """Around imports of dask and distributed: says how to install them where they are absent.

    Raises
    ------
    ImportError
        With the command in it.
    """
    try:
        yield
    except ImportError as error:
        raise ImportError(
            f'clusters need dask and distributed ({error}); install them with: pip install "mixtura[dask]"'
        ) from None
