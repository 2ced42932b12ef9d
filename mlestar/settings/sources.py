"""Where settings come from: a caller, the environment, `mlestar.toml` in the working directory, then defaults."""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import create_model
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, EnvSettingsSource
from pydantic_settings.exceptions import SettingsError as EnvironmentSettingsError

from mlestar.errors import SECRET_VARIABLE, SettingsError, first_line, mask_secrets, nearest
from mlestar.files import read_toml
from mlestar.settings import PARTS, PROFILES, Settings

FILE = "mlestar.toml"
PREFIX = "MLESTAR_"
PART = "__"
"""Between a setting and its part in the name of a variable."""
OTHER_VARIABLES = (
    "MLESTAR_LOG",
    "MLESTAR_POSTGRES_DSN",
    "MLESTAR_EXECUTION",
    "MLESTAR_REQUIRE_BROWSER",
    "MLESTAR_REQUIRE_DOCKER",
)
"""Variables with our prefix that are no settings."""


@dataclass(frozen=True)
class Layers:
    """Values of settings by where they come from, the strongest first."""

    caller: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)
    file: Mapping[str, Any] = field(default_factory=dict)

    def settings(self) -> Settings:
        """Return the settings; values of parts, such as models by role, are merged.

        Raises:
            SettingsError: a value is out of range or a key is unknown.
        """
        return Settings.resolve(_merge(_merge(self.file, self.environment), self.caller))

    def origin(self, name: str) -> str:
        """Return where the value of a setting comes from."""
        if self.caller.get(name) is not None:
            return "command line"
        if name in self.environment:
            return "environment"
        if name in self.file:
            return FILE
        settings = self.settings()
        return f"profile {settings.profile}" if name in PROFILES[settings.profile] else "default"


def choose_settings(base: object, values: Mapping[str, Any]) -> Settings:
    """Return the settings of a call: its values, then the environment, then `mlestar.toml`, then defaults.

    Args:
        base: `Settings`, which are complete and leave out environment and file; or values, or None.
        values: take precedence over `base`.

    Raises:
        SettingsError: a value is out of range or a key is unknown; the message names where it is.
    """
    if base is not None and not isinstance(base, Mapping):
        return Settings.resolve(base).change(values) if values else Settings.resolve(base)
    return read_layers({**(base or {}), **values}).settings()


def read_layers(caller: Mapping[str, Any] | None = None) -> Layers:
    """Return the values of a caller, the environment and `mlestar.toml`.

    Raises:
        SettingsError: the environment or the file has a value that is no setting, or the file holds a secret.
    """
    environment, file = _read_environment(), _read_file(Path(FILE))
    for name, values in (("environment", environment), (FILE, file)):
        try:
            Settings.resolve(values)
        except SettingsError as error:
            msg = f"{name}: {error}"
            raise SettingsError(msg) from None
    return Layers(caller or {}, environment, file)


def choose_runs_dir(runs_dir: str | Path | None) -> Path:
    """Return the runs folder of a call, by default that of the environment or `mlestar.toml`."""
    return read_layers().settings().runs_dir if runs_dir is None else Path(runs_dir)


def variable(name: str) -> str:
    """Return the environment variable of a setting."""
    return f"{PREFIX}{name.upper()}"


class _Environment(EnvSettingsSource):
    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        """Return JSON as its value and any other text as it is: settings split lists themselves."""
        return json.loads(value) if value.lstrip()[:1] in ("{", "[") else value


def _read_environment() -> dict[str, Any]:
    _check_variables()
    annotations: dict[str, Any] = {name: (item.annotation, None) for name, item in Settings.model_fields.items()}
    fields = create_model("Fields", __base__=BaseSettings, **annotations)
    source = _Environment(fields, env_prefix=PREFIX, env_nested_delimiter=PART, env_ignore_empty=True)
    try:
        return source()
    except EnvironmentSettingsError as error:
        cause = error.__cause__ or error
        msg = f"environment: {error}: {cause}"
        raise SettingsError(mask_secrets(msg)) from None


def _check_variables() -> None:
    """Refuse a variable that is most likely a mistyped setting; others with our prefix may be another program's."""
    names = [variable(name) for name in Settings.model_fields]
    for name in os.environ:
        upper = name.upper()
        if not upper.startswith(PREFIX) or upper in OTHER_VARIABLES:
            continue
        own = upper.partition(PART)[0]
        match = None if own in names else nearest(own, names)
        if match:
            msg = f"environment: {name} is no setting: did you mean {match}?"
            raise SettingsError(msg)


def _read_file(path: Path) -> dict[str, Any]:
    if not os.path.lexists(path):
        return {}
    try:
        values = read_toml(path)
    except ValueError as error:
        msg = f"{path.name} cannot be read: {first_line(str(error))}"
        raise SettingsError(msg) from error
    for name, value in _leaves(values):
        if _is_secret(name, value):
            msg = f"{path.name}: {name} looks like a secret: remove it, and set it as an environment variable instead"
            raise SettingsError(msg)
    return values


def _leaves(values: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every value with its dotted name."""
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value


def _is_secret(name: str, value: object) -> bool:
    own = name.rpartition(".")[2]
    is_setting = own in Settings.model_fields or any(own in part.model_fields for part in PARTS.values())
    if SECRET_VARIABLE.search(own) and not is_setting:
        return True
    texts = value if isinstance(value, list) else [value]
    return any(isinstance(text, str) and mask_secrets(text) != text for text in texts)


def _merge(weak: Mapping[str, Any], strong: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of both; where both have parts, the parts of both."""
    merged = dict(weak)
    for name, value in strong.items():
        parts = merged.get(name)
        merged[name] = {**parts, **value} if isinstance(parts, dict) and isinstance(value, dict) else value
    return merged
