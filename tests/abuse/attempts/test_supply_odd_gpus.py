"""A listing of GPUs has numbers that are none, to end the run with an error.

Outcome: succeeded; prevented since.
"""

from mlestar.runners.gpus import parse_gpus, parse_usage


def test_only_decimal_numbers_are_read() -> None:
    listing = "\u00b2, GPU-a, A, 1\n0, GPU-b, \x1b[2JB\u202e, \u00b2\n-1, all, C, 1\n1, GPU-c, A, 1, 2\n"
    (gpu,) = parse_gpus(listing)
    assert (gpu.index, gpu.uuid, gpu.memory_mb) == (0, "GPU-b", 0)
    assert not {"\x1b", "\u202e"} & {*gpu.name}
    assert parse_usage("GPU-b, \u00b2", ["GPU-b"]) == 0
