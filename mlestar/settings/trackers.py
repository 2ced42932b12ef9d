"""Which trackers a run is sent to."""

import os
import re
from importlib.util import find_spec
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from mlestar.errors import SettingsError

FROM_ENVIRONMENT, VARIABLE = "env", "MLFLOW_TRACKING_URI"
"""A word that stands for the address in a variable."""
_CREDENTIALS = re.compile(r"://[^/@]*@")

_MODULES = {"mlflow": "mlflow", "otel": "opentelemetry.exporter.otlp.proto.http"}
"""What trackers import, by the name of their setting, which is that of the extra, too."""


class TrackerSettings(BaseModel):
    """Where a run is sent while it works; by default nowhere."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    mlflow: str | None = Field(
        None,
        description="Address of an MLflow server (`http://...`) or database (`sqlite:///...`), or `env` for "
        "`MLFLOW_TRACKING_URI`, which alone switches nothing on. A user and a password are in "
        "`MLFLOW_TRACKING_USERNAME` and `MLFLOW_TRACKING_PASSWORD`. Empty: nothing is sent.",
    )
    experiment: str = Field("mlestar", min_length=1, description="Name of the experiment in MLflow.")
    otel: bool = Field(
        False,
        description="Send OpenTelemetry spans of the run, its model calls and executions; the standard variables "
        "`OTEL_*` say where to.",
    )
    wait_seconds: float = Field(
        30, ge=0, description="Seconds for which a run that has ended waits until its trackers have sent the rest."
    )

    @model_validator(mode="before")
    @classmethod
    def _name_address(cls, data: Any) -> Any:
        """Read a text as the address of MLflow; a form sends an empty one."""
        return {"mlflow": data or None} if isinstance(data, str) else data

    @field_validator("mlflow")
    @classmethod
    def _check_address(cls, address: str | None) -> str | None:
        if not address:
            return None
        if _CREDENTIALS.search(address):
            what = "leave user and password out of it and set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"
            raise PydanticCustomError("address", what)
        if address != FROM_ENVIRONMENT and "://" not in address:
            raise PydanticCustomError("address", "give an address such as http://localhost:5000, or env")
        return address

    @property
    def names(self) -> tuple[str, ...]:
        """The trackers that are switched on."""
        return tuple(name for name in ("mlflow", "otel") if getattr(self, name))

    def check_usable(self) -> None:
        """Refuse trackers whose packages or whose address are missing; nothing of them is imported.

        Raises:
            SettingsError: with what to do.
        """
        for name in self.names:
            if not _is_installed(_MODULES[name]):
                msg = f"trackers.{name} needs a package: pip install 'mlestar[{name}]'"
                raise SettingsError(msg)
        if self.mlflow:
            self.find_address()

    def find_address(self) -> str:
        """Return the address of MLflow.

        Raises:
            SettingsError: it is that of a variable which is not set.
        """
        address = os.environ.get(VARIABLE, "") if self.mlflow == FROM_ENVIRONMENT else self.mlflow
        if not address:
            msg = f"trackers.mlflow is {FROM_ENVIRONMENT}, but {VARIABLE} is not set: set it, or give the address"
            raise SettingsError(msg)
        return address


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False
