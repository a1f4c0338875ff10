"""The key that opens stored texts, for commands that read a database or exported files by themselves."""

from __future__ import annotations

import os
from typing import Any

from collectors.spool import load_key
from monitor.config import Config
from monitor.vault import Vault


def config_of(store: Any) -> Config:
    """The configuration that the store's monitor ran with."""
    saved = store.mapping("meta").get("config")
    return Config.model_validate_json(saved) if saved else Config()


def key_of(store: Any) -> bytes | None:
    """The key that the store's own configuration names; None where it is not at hand."""
    config = config_of(store)
    variable, directory = config.privacy.key_env, config.spool_directory
    at_hand = os.environ.get(variable) if variable else (directory.parent / "tailgate.key").exists()
    return load_key(directory, variable) if at_hand else None


def vault_of(store: Any) -> Vault | None:
    """What opens its texts; None where the key is not at hand."""
    key = key_of(store)
    return None if key is None else Vault(key)
