"""How many threads numerical libraries start, told to them before they are imported."""

from __future__ import annotations

# Each library reads its own name once, when it is loaded.
NAMES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "POLARS_MAX_THREADS",
    "RAYON_NUM_THREADS",
)


def thread_environment(threads: int) -> dict[str, str]:
    """Return the environment variables that hold a process to this many threads.

    Waiting threads sleep instead of spinning, so that processes that share the processors do not slow each other.
    """
    return {**dict.fromkeys(NAMES, str(threads)), "OMP_WAIT_POLICY": "PASSIVE"}
