"""`estimator.report(X, path)`: a method that is here, for work that is done in the outer ring."""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any

__all__ = ["ReportMixin"]


class ReportMixin:
    """Gives an estimator the method `report`; nothing of reports is imported before it is called."""

    def report(self, X: Any, path: str | os.PathLike[str], **options: Any) -> None:
        """Write an HTML report over rows to a file; the options are those of `mixtura.report.write_report`."""
        import_module("mixtura.report").write_report(self, X, path, **options)
