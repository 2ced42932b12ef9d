"""Recognizing that a script filled the memory of its GPU, on messages that libraries wrote."""

import pytest

from mlestar.agents.sharing import limit_message
from mlestar.runners.gpu_memory import recognize_gpu_oom
from mlestar.runners.limits import End
from tests.unit.smi import LARGE, SMALL

TRACEBACK = 'Traceback (most recent call last):\n  File "/sandbox/main.py", line 40, in <module>\n    train(model)\n'
HANDLED = "\nDuring handling of the above exception, another exception occurred:\n\n"
CAUSE = "\nThe above exception was the direct cause of the following exception:\n\n"

TORCH = (
    "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 39.38 GiB of"
    " which 1.20 GiB is free. Process 4242 has 38.17 GiB memory in use.\n"
)
TORCH_1 = (
    "RuntimeError: CUDA out of memory. Tried to allocate 20.00 MiB (GPU 0; 15.78 GiB total capacity; 14.31 GiB already "
    "allocated; 19.00 MiB free; 14.44 GiB reserved in total by PyTorch)\n"
)
ABORTED = (
    "terminate called without an active exception\n"
    "(NCudaLib::TOutOfMemoryError) /src/catboost/catboost/cuda/cuda_lib/memory_pool/stack_like_memory_pool.h:303: "
    "Error: Out of memory. Requested 8880 MB; Free 5902.061425 MB\n"
)

FULL = {
    "torch": (TRACEBACK + TORCH, "2.00 GiB"),
    "torch 1": (TRACEBACK + TORCH_1, "20.00 MiB"),
    "torch 2.0": (TRACEBACK + TORCH.replace("torch.Out", "torch.cuda.Out"), "2.00 GiB"),
    "torch, driver": (TRACEBACK + "torch.AcceleratorError: CUDA error: out of memory\n", ""),
    "cuBLAS": (
        TRACEBACK + "RuntimeError: CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`\n",
        "",
    ),
    "TensorFlow": (
        TRACEBACK + "tensorflow.python.framework.errors_impl.ResourceExhaustedError: Graph execution error:\n\n"
        "OOM when allocating tensor with shape[16,112,112,147] and type float on "
        "/job:localhost/replica:0/task:0/device:GPU:0 by allocator GPU_0_bfc\n",
        "",
    ),
    "TensorFlow, several roots": (
        TRACEBACK
        + "ResourceExhaustedError: 2 root error(s) found.\n  (0) Resource exhausted: OOM when allocating tensor "
        "with shape[16,112] and type float on /job:localhost/replica:0/task:0/device:GPU:0 by allocator GPU_0_bfc\n",
        "",
    ),
    "JAX": (
        TRACEBACK + "jaxlib.xla_extension.XlaRuntimeError: RESOURCE_EXHAUSTED: Out of memory while trying to allocate "
        "4770354232 bytes.\n",
        "4770354232 bytes",
    ),
    "JAX, one request": (
        TRACEBACK + "jaxlib.xla_extension.XlaRuntimeError: RESOURCE_EXHAUSTED: Failed to allocate request for 2.99GiB "
        "(3206250496B) on device ordinal 0\n",
        "2.99 GiB",
    ),
    "XGBoost": (
        TRACEBACK
        + "xgboost.core.XGBoostError: [10:11:12] /workspace/src/common/device_helpers.cuh:431: Memory allocation "
        "error on worker 0: std::bad_alloc: cudaErrorMemoryAllocation: out of memory\nStack trace:\n  [bt] (0) ...\n",
        "",
    ),
    "LightGBM": (TRACEBACK + "lightgbm.basic.LightGBMError: [CUDA] out of memory /tmp/cuda_utils.hpp 29\n", ""),
    "LightGBM, OpenCL": (TRACEBACK + "lightgbm.basic.LightGBMError: Memory Object Allocation Failure\n", ""),
    "CuPy": (
        TRACEBACK
        + "cupy.cuda.memory.OutOfMemoryError: Out of memory allocating 8,000,000,000 bytes (allocated so far: "
        "512 bytes).\n",
        "8,000,000,000 bytes",
    ),
    "CuPy, runtime": (
        TRACEBACK + "cupy_backends.cuda.api.runtime.CUDARuntimeError: cudaErrorMemoryAllocation: out of memory\n",
        "",
    ),
    "Numba": (
        TRACEBACK
        + "numba.cuda.cudadrv.driver.CudaAPIError: [2] Call to cuMemAlloc results in CUDA_ERROR_OUT_OF_MEMORY\n",
        "",
    ),
    "CatBoost, aborted": (ABORTED, "8880 MB"),
    "raised again": (TRACEBACK + TORCH + CAUSE + TRACEBACK + "ValueError: fold 3 failed\n", "2.00 GiB"),
}

OTHER = {
    "an error after a handled one": TRACEBACK
    + TORCH
    + HANDLED
    + TRACEBACK
    + "NameError: name 'small' is not defined\n",
    "a warning": "W0000 CUDA_ERROR_OUT_OF_MEMORY: out of memory; retrying\n" + TRACEBACK + "KeyError: 'x'\n",
    "a line of code": TRACEBACK + "    raise_if('CUDA out of memory')\nKeyError: 'x'\n",
    "memory of the machine": TRACEBACK + "numpy._core._exceptions._ArrayMemoryError: Unable to allocate 74.5 GiB\n",
    "TensorFlow on the CPU": TRACEBACK + "ResourceExhaustedError: OOM when allocating tensor with shape[9,9] and type "
    "float on /job:localhost/replica:0/task:0/device:CPU:0 by allocator cpu\n",
}


@pytest.mark.parametrize("name", FULL)
def test_a_full_device_is_a_status_of_its_own(name: str) -> None:
    stderr, request = FULL[name]
    end = recognize_gpu_oom(End("killed" if stderr == ABORTED else "error", 1), stderr, [LARGE])
    assert (end.status, end.exit_code) == ("gpu_oom", 1)
    asked = f" when it asked for {request} more" if request else ""
    assert end.detail == f"the script ran out of memory on the GPU{asked}: it has 40960 MB"


@pytest.mark.parametrize("name", OTHER)
def test_another_failure_keeps_its_status(name: str) -> None:
    end = End("error", 1)
    assert recognize_gpu_oom(end, OTHER[name], [LARGE]) == end


@pytest.mark.parametrize("status", ["ok", "timeout", "oom", "disk_full", "output_limit"])
def test_only_a_failed_script_has_filled_its_device(status: str) -> None:
    end = End(status)  # type: ignore[arg-type]  # of the test's own list
    assert recognize_gpu_oom(end, FULL["torch"][0], [LARGE]) == end


@pytest.mark.parametrize("name", FULL)
def test_a_script_without_a_device_cannot_fill_it(name: str) -> None:
    assert recognize_gpu_oom(End("error", 1), FULL[name][0], []).status == "error"


def test_the_figures_are_those_of_the_smallest_device_and_the_largest_use() -> None:
    end = recognize_gpu_oom(End("error", 1, peak_gpu_mb=15_300), FULL["torch 1"][0], [LARGE, SMALL])
    expected = "each has at least 15360 MB, at most 15300 MB were seen in use"
    assert end.detail == f"the script ran out of memory on the GPU when it asked for 20.00 MiB more: {expected}"


@pytest.mark.parametrize("share", ["statistics", "names"])
def test_figures_are_shared_and_contain_no_data(share: str) -> None:
    stderr = TRACEBACK + "RuntimeError: CUDA out of memory. row 'Smith, 1944' of 2.00 GiB\n"
    end = recognize_gpu_oom(End("error", 1), stderr, [LARGE])
    assert "Smith" not in end.detail
    assert limit_message(end.detail, share) == end.detail  # type: ignore[arg-type]  # of the test's own list
