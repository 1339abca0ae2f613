"""What the helpers of processes.py promise about processes that start others."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from joblib import Parallel, delayed

from mammoscope.processes import leave_joblibs_start_method


def _sum_in_a_pool(numbers: list[int]) -> int:
    leave_joblibs_start_method()
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(sum, numbers).result()


def test_a_process_of_joblibs_may_start_a_pool():
    """Without, the pool breaks: its processes are told to start others by `loky`, which they do not know."""
    assert Parallel(n_jobs=2)(delayed(_sum_in_a_pool)(numbers) for numbers in ([1, 2], [3, 4])) == [3, 7]
