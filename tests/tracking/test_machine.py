"""What is told of the machine: by a thread that no run depends on."""

import ctypes
import os
import threading
import time
from pathlib import Path

import pytest

from mammoscope.tracking import machine as machine_module
from mammoscope.tracking import nvml
from mammoscope.tracking.liveness import running
from mammoscope.tracking.machine import Machine, sampled
from mammoscope.tracking.run import NullTracker
from mammoscope.tracking.store import TrackingStore

from ..mlflow_server import until

NAMES = {
    "system/cpu_utilization_percentage",
    "system/system_memory_usage_megabytes",
    "system/system_memory_usage_percentage",
    "system/process_memory_usage_megabytes",
    "system/disk_usage_percentage",
    "system/disk_available_megabytes",
}


def burn(seconds: float) -> None:
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def test_the_numbers_are_those_of_this_machine(tmp_path: Path):
    machine = Machine(tmp_path)
    burn(0.3)
    values = machine.sample()
    assert values.keys() >= NAMES
    assert 0 < values["system/cpu_utilization_percentage"] <= 100
    assert 0 < values["system/system_memory_usage_percentage"] < 100
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    resident = pages * os.sysconf("SC_PAGE_SIZE") / 1e6
    assert values["system/process_memory_usage_megabytes"] == pytest.approx(resident, rel=0.1)
    assert 0 <= values["system/disk_usage_percentage"] <= 100


def test_a_sample_costs_less_than_a_thousandth_of_the_time_between_two(tmp_path: Path):
    machine = Machine(tmp_path)
    costs = []
    for _ in range(5):
        before = time.thread_time()
        machine.sample()
        costs.append(time.thread_time() - before)
    assert min(costs) < machine_module.SAMPLED_EVERY_S / 1000


def test_a_run_is_sampled_until_it_ends_and_goes_on_counting_when_it_is_gone_on_with(store: TrackingStore, monkeypatch):
    monkeypatch.setattr(machine_module, "SAMPLED_EVERY_S", 0.05)
    tracker = store.start_run("a run", {})
    with running(tracker), sampled(tracker):
        until(lambda: tracker._samples > 2)
    first = tracker._samples
    again = store.continue_run(store.find_run(tracker.run_id))
    with running(again), sampled(again):
        pass
    key = "system/system_memory_usage_percentage"
    points = store.client.get_metric_history(tracker.run_id, key)
    assert [point.step for point in points] == list(range(first + 1))
    assert sorted(point.timestamp for point in points) == [point.timestamp for point in points]
    assert store.find_run(tracker.run_id).metrics.keys() >= NAMES - {"system/cpu_utilization_percentage"}
    assert not [thread for thread in threading.enumerate() if thread.name == "mammoscope-machine"]


def test_what_goes_wrong_in_it_does_not_reach_the_run(store: TrackingStore, monkeypatch, tmp_path: Path):
    monkeypatch.setattr(machine_module, "SAMPLED_EVERY_S", 0.01)
    monkeypatch.setattr(machine_module, "Machine", lambda folder: (_ for _ in ()).throw(OSError("no such disk")))
    tracker = store.start_run("a run", {})
    with running(tracker), sampled(tracker):
        time.sleep(0.1)
    assert store.find_run(tracker.run_id).status == "FINISHED"
    with sampled(NullTracker(tmp_path)):
        pass


class Driver:
    """NVML as it is documented, with a device that tells all and one that tells nothing."""

    def nvmlInit_v2(self) -> int:
        return 0

    def nvmlDeviceGetCount_v2(self, count) -> int:
        count._obj.value = 2
        return 0

    class _Handle:
        argtypes: list = []  # noqa: RUF012

        def __call__(self, number, handle) -> int:
            handle._obj.value = number + 1
            return 0

    nvmlDeviceGetHandleByIndex_v2 = _Handle()

    def nvmlDeviceGetUtilizationRates(self, device, out) -> int:
        out._obj.gpu = 87
        return 0 if device.value == 1 else 3

    def nvmlDeviceGetMemoryInfo(self, device, out) -> int:
        out._obj.total, out._obj.used = 80_000_000_000, 20_000_000_000
        return 0 if device.value == 1 else 3

    def nvmlDeviceGetPowerUsage(self, device, out) -> int:
        out._obj.value = 312_500
        return 0 if device.value == 1 else 3


def test_gpus_are_told_of_where_there_are_some(monkeypatch):
    monkeypatch.setattr(ctypes, "CDLL", lambda name: Driver())
    assert nvml.Gpus().sample() == {
        "gpu_0_utilization_percentage": 87.0,
        "gpu_0_memory_usage_megabytes": 20_000.0,
        "gpu_0_memory_usage_percentage": 25.0,
        "gpu_0_power_usage_watts": 312.5,
    }


def test_without_a_driver_there_are_none(monkeypatch):
    monkeypatch.setattr(nvml, "LIBRARY", "libno-such-library.so.1")
    assert nvml.Gpus().sample() == {}
