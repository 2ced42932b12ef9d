"""Recognizing that a script ran out of memory on its GPU, from what its library wrote."""

import re
from collections.abc import Sequence
from dataclasses import replace

from mlestar.runners.base import Gpu
from mlestar.runners.limits import End

_FAILURES = re.compile(
    r"""
      CUDA\ out\ of\ memory                                       # torch
    | CUDA\ error:\ out\ of\ memory                               # torch, outside of its allocator
    | torch\.(?:cuda\.)?OutOfMemoryError
    | (?:CUBLAS|CUDNN|CUSOLVER)_STATUS_ALLOC_FAILED               # torch, TensorFlow: NVIDIA's libraries
    | OOM\ when\ allocating\ tensor.*device:GPU                   # TensorFlow
    | CUDA_ERROR_OUT_OF_MEMORY                                    # TensorFlow, JAX, Numba: NVIDIA's driver
    | RESOURCE_EXHAUSTED:\ .*?(?:[Oo]ut\ of\ memory|[Ff]ailed\ to\ allocate)   # JAX
    | cudaErrorMemoryAllocation                                   # XGBoost, CuPy, RAPIDS: NVIDIA's runtime
    | Memory\ allocation\ error\ on\ worker                       # XGBoost
    | \[CUDA\]\ out\ of\ memory                                   # LightGBM
    | Memory\ Object\ Allocation\ Failure | CL_MEM_OBJECT_ALLOCATION_FAILURE   # LightGBM with OpenCL
    | cupy\.cuda\.memory\.OutOfMemoryError
    | TOutOfMemoryError                                           # CatBoost
    """,
    re.VERBOSE,
)
_REQUEST = re.compile(r"(?:allocat|request)\w*\D{0,40}?(\d[\d.,]*) ?([KMGT]i?B|bytes)", re.IGNORECASE)
_TRACEBACK = "Traceback (most recent call last):"
_CAUSE = "The above exception was the direct cause of the following exception:"
_FRAME = re.compile(r" {4}|  File ")
_TAIL_LINES = 40
"""Last lines of a script that ended without a traceback, as C++ libraries end it. Chosen by judgement; not measured."""


def recognize_gpu_oom(end: End, stderr: str, gpus: Sequence[Gpu]) -> End:
    """Return `gpu_oom` with its figures for a script that failed because the memory of its GPU was full, else its end.

    A script without a GPU cannot fail in this way: JAX and TensorFlow write the same about the memory of the machine.
    """
    if not gpus or end.status not in ("error", "killed"):
        return end
    failure = _last_failure(stderr)
    if not (message := _FAILURES.search(failure)):
        return end
    return replace(end, status="gpu_oom", detail=_describe(end, failure[message.start() :], gpus))


def _last_failure(stderr: str) -> str:
    """Return what the script ended with and its direct causes, without lines of code.

    An error that the script handled before does not count.
    """
    start = stderr.rfind(_TRACEBACK)
    while start > 0 and stderr[:start].rstrip().endswith(_CAUSE):
        start = stderr.rfind(_TRACEBACK, 0, start)
    lines = stderr.splitlines()[-_TAIL_LINES:] if start < 0 else stderr[start:].splitlines()
    return "\n".join(line for line in lines if start < 0 or not _FRAME.match(line))


def _describe(end: End, message: str, gpus: Sequence[Gpu]) -> str:
    """Return one line of figures and nothing else: the message itself may contain data of the task."""
    request = _REQUEST.search(message)
    request_text = f" when it asked for {request[1]} {request[2]} more" if request else ""
    memory = min(gpu.memory_mb for gpu in gpus)
    facts = [f"{'it has' if len(gpus) == 1 else 'each has at least'} {memory} MB"] if memory else []
    if end.peak_gpu_mb is not None:
        facts.append(f"at most {end.peak_gpu_mb} MB were seen in use")
    figures = f": {', '.join(facts)}" if facts else ""
    return f"the script ran out of memory on the GPU{request_text}{figures}"
