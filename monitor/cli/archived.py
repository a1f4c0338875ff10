"""`--archive`: exported files instead of a database; they can be read while monitors run."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from monitor.parquet.reading import Archive

F = TypeVar("F", bound=Callable[..., Any])


def archive_options(function: F) -> F:
    """`--archive` and `--route`."""
    location = click.option(
        "--archive",
        metavar="DIRECTORY|S3URL",
        help="exported files (export.directory), of any number of monitors; may be read while they run",
    )
    route = click.option("--route", metavar="NAME", help="which route of the archive [default: the only one]")
    return location(route(function))


def archive_of(location: str, route: str | None, since: float = 0.0) -> AbstractContextManager[Archive]:
    """The open archive. Raises ConfigError, StoreError."""
    from monitor.parquet.places import place_of
    from monitor.parquet.reading import Archive

    return closing(Archive(place_of(location), route, since))
