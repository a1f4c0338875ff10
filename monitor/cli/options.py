"""Options that several commands share, and how they become one `Config`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from monitor.config import Config
from monitor.config_file import load

F = TypeVar("F", bound=Callable[..., Any])

# flag name: (configuration key, help). Flags override the file (DESIGN 6).
FLAGS: dict[str, tuple[str, str]] = {
    "baseline": ("baseline.url", "URL of the production server"),
    "candidate": ("candidate.url", "URL of the model under judgement"),
    "listen": ("sidecar.listen", "HOST:PORT for clients"),
    "http": ("http.listen", "HOST:PORT of the monitor's API, metrics and page"),
    "db": ("store.path", "the DuckDB file"),
    "sample": ("sampling.fraction", "share of production requests that is mirrored"),
    "replay_share": ("replay.share", "share of mirrored requests that the baseline answers twice"),
    "store": ("store.text", "what text is kept: none, redacted, full"),
}
_TYPES: dict[str, Any] = {
    "sample": click.FloatRange(0, 1),
    "replay_share": click.FloatRange(0, 1),
    "store": click.Choice(["none", "redacted", "full"]),
}


def config_options(*flags: str) -> Callable[[F], F]:
    """Add `-c/--config`, `--set` and the named flags of `FLAGS` to a command."""

    def decorate(function: F) -> F:
        for name in reversed(flags):
            key, words = FLAGS[name]
            option = click.option(
                f"--{name.replace('_', '-')}", name, type=_TYPES.get(name), help=f"{words} ({key})"
            )
            function = option(function)
        settings = click.option(
            "--set", "settings", multiple=True, metavar="KEY.PATH=VALUE", help="any configuration key"
        )
        path = click.option(
            "-c",
            "--config",
            "path",
            type=click.Path(path_type=Path, dir_okay=False),
            help="configuration file (YAML)",
        )
        return path(settings(function))

    return decorate


def config_from(path: Path | None, settings: tuple[str, ...], flags: dict[str, Any]) -> Config:
    """Defaults, file, `--set`, flags. Raises ConfigError."""
    overrides = {FLAGS[name][0]: value for name, value in flags.items() if value is not None}
    return load(path, overrides, settings)


def as_arguments(path: Path | None, settings: tuple[str, ...], flags: dict[str, Any]) -> list[str]:
    """The same choice again as command-line arguments, for a child process."""
    arguments = ["-c", str(path)] if path else []
    for setting in settings:
        arguments += ["--set", setting]
    for name, value in flags.items():
        if value is not None:
            arguments += ["--set", f"{FLAGS[name][0]}={value}"]
    return arguments


def format_option(*formats: str) -> Callable[[F], F]:
    """`--format`, first one is the default."""
    return click.option(
        "--format", "format_", type=click.Choice(formats), default=formats[0], show_default=True
    )
