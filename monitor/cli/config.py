"""`tailgate config check|show|schema`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import yaml

from monitor.addresses import is_loopback
from monitor.cli.options import config_from, config_options
from monitor.config import Config
from monitor.config_file import secret
from monitor.errors import ConfigError


@click.group("config", help="Check, show or describe the configuration.")
def command() -> None:
    """Group of the three subcommands."""


@command.command()
@config_options()
@click.option("--alone", is_flag=True, help="as for `tailgate monitor`, without a sidecar on this machine")
def check(path: Path | None, settings: tuple[str, ...], alone: bool) -> None:  # noqa: FBT001  click passes it
    """Validate a configuration, its secrets and its addresses; exit 2 names every problem."""
    config = config_from(path, settings, {})
    problems = list(_problems(config, alone=alone))
    if problems:
        raise ConfigError("\n".join(problems))
    click.echo(f"ok: route {config.route.name}, config hash {config.hash}", err=True)


def _problems(config: Config, *, alone: bool) -> Any:
    named = {
        "baseline.token_env": config.baseline.token_env,
        "candidate.token_env": config.candidate.token_env,
        "http.token_env": config.http.token_env,
        "http.read_token_env": config.http.read_token_env,
        "sidecar.token_env": config.sidecar.token_env,
        "privacy.key_env": config.privacy.key_env,
    }
    for key, name in named.items():
        try:
            secret(name, key)
        except ConfigError as error:
            yield str(error)
    if config.candidate.url and config.candidate.url == config.baseline.url:
        yield "candidate.url: is the baseline itself; every pair would agree"
    host = (config.replay.url or config.baseline.url).partition("://")[2].rpartition(":")[0].strip("[]")
    if alone and config.replay.share > 0 and is_loopback(host):
        yield (
            "replay.url: a monitor on its own machine cannot replay to a loopback address; "
            "set replay.url to the baseline's service, or replay.share to 0"
        )
    for name in config.verdict.required_signals:
        if config.level(name) in {"show", "off"}:
            yield f"verdict.required_signals: {name} is set to {config.level(name)}, so it never decides"


@command.command()
@config_options()
def show(path: Path | None, settings: tuple[str, ...]) -> None:
    """Print the whole effective configuration as YAML, defaults included."""
    config = config_from(path, settings, {})
    click.echo(yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True), nl=False)


@command.command()
def schema() -> None:
    """Print the JSON schema of the configuration file."""
    click.echo(json.dumps(Config.model_json_schema(), indent=2))
