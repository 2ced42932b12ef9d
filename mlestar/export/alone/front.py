"""A model that was exported by mlestar: it predicts rows of a frame.

from mlestar_model import load

with load(".") as model:
    model.predict(frame)
"""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from mlestar.export.alone.model import Model

Execution = Literal["docker", "process"]


def load(folder: str | Path, *, execution: Execution = "docker", seconds: float = 600.0) -> "Model":
    """Return the model of an exported folder.

    Args:
        folder: the exported folder.
        execution: where the predictor executes, which is generated code: `docker`, in a container without network;
            or `process`, in a process with your rights.
        seconds: longest time of one prediction.

    Raises:
        UserError: the folder is not complete, or a file was changed.
        OperatorError: there is no container engine, or the image cannot be built.
    """
    from mlestar.export.alone.model import open_model

    return open_model(Path(folder), execution, seconds)
