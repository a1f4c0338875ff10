"""The command line: parsing and printing, no logic. One file per command, loaded when called.

Exit codes: 0 ok, 1 diverged (or a probe or self-test failed), 2 usage or configuration, 3
inconclusive, 4 cannot reach or open something. Machine output goes to stdout (`--format json`),
everything for people to stderr.
"""

from __future__ import annotations

from importlib import import_module

import click

# name: (module that holds a click command of that name, one line of help). Literal, so that
# `tailgate --help` imports nothing and the sidecar never pays for duckdb.
COMMANDS: dict[str, tuple[str, str]] = {
    "demo": ("demo", "the whole pipeline on this machine, with a planted tail regression"),
    "run": ("run", "capture and monitor, one command"),
    "sidecar": ("sidecar", "the data path alone"),
    "collect": ("collect", "other ways in: OTLP traces, Envoy, packets, into the same spool"),
    "monitor": ("monitor", "the monitor alone"),
    "shipper": ("shipper", "the spool to Kafka, beside a sidecar"),
    "score": ("score", "recorded pairs to a verdict"),
    "shadow": ("shadow", "send recorded exchanges to a live candidate, then score"),
    "evidence": ("evidence", "the sequential test for scores that you bring (CSV on stdin)"),
    "verdict": ("verdict", "the gate for CI and rollouts"),
    "segments": ("segments", "the verdict table"),
    "explain": ("explain", "one segment: evidence, interval, worst pairs"),
    "funnel": ("funnel", "where every request ended: why is nothing mirrored?"),
    "report": ("report", "the weekly drift report"),
    "probe": ("probe", "where the candidate's abilities end: thresholds, shares, sensitivity, load"),
    "discover": ("discover", "slices that nobody declared: searched on one half, confirmed on the other"),
    "export": ("export", "a stopped monitor's database as Parquet"),
    "lake": ("lake", "exported files as DuckLake tables (PostgreSQL catalog), in an environment of its own"),
    "sql": ("sql", "any question to exported pairs and scores"),
    "labels": ("labels", "send delayed labels to a running monitor"),
    "erase": ("erase", "forget a data subject"),
    "selftest": ("selftest", "the canary of the canary: is a planted regression found and alerted?"),
    "config": ("config", "check, show or describe the configuration"),
    "standin": ("standin", "an OpenAI-compatible server with fault knobs, for tests and demos"),
}

EXIT_CODES = {"ok": 0, "diverged": 1, "inconclusive": 3}


class LazyGroup(click.Group):
    """Imports a command's module when it is called, not before."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"monitor.cli.{COMMANDS[cmd_name][0]}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, help_) for name, (_, help_) in COMMANDS.items()])


@click.command(
    cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(package_name="tailgate", prog_name="tailgate")
def tailgate() -> None:
    """Shadow-traffic drift monitor for LLMs: finds the tail segment that the average hides."""
