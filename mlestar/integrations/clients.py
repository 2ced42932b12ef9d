"""What clients of the MCP server may do: which settings, which caps and which task folders."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mlestar.errors import SettingsError, UserError, first_line
from mlestar.files import read_toml
from mlestar.settings import Settings

HARMLESS = (
    *("profile", "goal", "metric", "target", "id_column", "split", "seed"),
    *("retrieved_models", "outer_steps", "inner_plans", "tracks", "ensemble_rounds", "blend"),
    *("finalists", "fresh_splits", "fresh_share", "baselines", "importance"),
    *("resamples", "debug_rounds", "accept", "leakage_rounds", "review", "share", "subsample_rows", "script_seconds"),
)
"""Settings that shape a search: they cost no more than the caps allow, and choose no file and no address."""
CAPS = ("max_hours", "max_usd", "max_tokens", "max_executions", "parallel", "memory_mb", "cpus", "script_seconds")
"""Settings that a client may lower; what the operator has set is the ceiling."""
OWN_MODELS = ("ask", "offline")
"""Models that cost the operator nothing: a client may choose them."""


class ClientRules(BaseModel):
    """The file of rules that an operator may write (`--rules`)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    roots: tuple[Path, ...] = Field((), description="Folders in which task folders may be.")
    allow: tuple[str, ...] = Field((), description="Settings that clients may set besides those of the search.")
    models: tuple[str, ...] = Field((), description="Models that clients may choose besides `ask` and `offline`.")
    caps: dict[str, float] = Field({}, description="Ceilings of caps, below those of the server's settings.")

    @classmethod
    def read(cls, path: Path) -> "ClientRules":
        """Read a TOML file; its paths are relative to its folder.

        Raises:
            SettingsError: the file cannot be read, or a name in it is unknown.
        """
        try:
            rules = cls.model_validate(read_toml(path))
        except ValueError as error:
            reason = error.errors()[0]["msg"] if isinstance(error, ValidationError) else first_line(str(error))
            msg = f"{path} cannot be used as rules for clients: {reason}"
            raise SettingsError(msg) from error
        unknown = [name for name in rules.allow if name not in Settings.model_fields]
        unknown += [name for name in rules.caps if name not in CAPS]
        if unknown:
            msg = f"{path} names {unknown[0]!r}, which is no setting; `mlestar settings` lists them"
            raise SettingsError(msg)
        return rules.model_copy(update={"roots": tuple(path.parent / root for root in rules.roots)})

    def with_roots(self, roots: tuple[Path, ...]) -> "ClientRules":
        """Return the rules with more roots; without any, task folders may be in the current folder."""
        # A desktop client starts its servers in the root of the file system, which must not be a root by default.
        default = (Path.cwd(),) if Path.cwd() != Path("/") else ()
        both = (*self.roots, *roots) or default
        return self.model_copy(update={"roots": tuple(root.expanduser().resolve() for root in both)})

    def open_task(self, folder: str) -> Path:
        """Return the path of a task folder that a client names.

        Raises:
            UserError: it is outside of the roots.
        """
        try:
            path = Path(folder).expanduser().absolute()
            resolved = path.resolve()
        except (OSError, ValueError, RuntimeError) as error:
            msg = f"folder {folder[:100]!r} cannot be opened: {first_line(str(error))}"
            raise UserError(msg) from error
        if not any(resolved.is_relative_to(root) for root in self.roots):
            where = ", ".join(str(root) for root in self.roots) or "none"
            msg = f"{folder} is not in a folder that this server opens ({where}); its operator adds one with --root"
            raise UserError(msg)
        return path

    def limit(self, operator: Settings, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return the settings of a client's run: its own values, and the ceilings of caps that it left out.

        Raises:
            SettingsError: the operator does not let clients set one, or not so high.
        """
        for name, value in values.items():
            self._check_name(name, value)
        chosen, limited = operator.change(values), dict(values)
        for name in CAPS:
            limit = self._ceiling(operator, name)
            if limit is None or not _above(getattr(chosen, name), limit):
                continue
            if name in values:
                msg = f"clients of this server may set {name} to {limit:.12g} at most"
                raise SettingsError(msg)
            limited[name] = limit
        return limited

    def _check_name(self, name: str, value: Any) -> None:
        models = (*OWN_MODELS, *self.models)
        if name == "model" and value in models:
            return
        if name not in (*HARMLESS, *CAPS, *self.allow):
            also = f" to {value!r}, only to {', '.join(models)}" if name == "model" else ""
            msg = f"clients of this server may not set {name}{also}; its operator decides"
            raise SettingsError(msg)
        if name == "metric" and ":" in str(value):
            msg = "clients of this server may name a built-in metric, not a function in a file"
            raise SettingsError(msg)

    def _ceiling(self, operator: Settings, name: str) -> float | None:
        """Return the highest value that a client may set; None without a limit."""
        limits = [limit for limit in (getattr(operator, name), self.caps.get(name)) if limit is not None]
        lowest = min(limits, default=None)
        return int(lowest) if lowest is not None and lowest == int(lowest) else lowest


def _above(value: float | None, limit: float) -> bool:
    """Return whether a cap is higher than its ceiling; None is without a cap."""
    return value is None or value > limit
