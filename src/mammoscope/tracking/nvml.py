"""NVIDIA's management library, which comes with the driver: five calls of it, so that no package is needed.

Signatures: NVML API reference, "Device Queries". Every call returns 0 where it went well.
"""

import ctypes
from ctypes import POINTER, Structure, byref, c_uint, c_ulonglong, c_void_p
from typing import Any, final

LIBRARY = "libnvidia-ml.so.1"
MEGABYTE = 1e6


class _Utilization(Structure):
    _fields_ = (("gpu", c_uint), ("memory", c_uint))  # percent of the time


class _Memory(Structure):
    _fields_ = (("total", c_ulonglong), ("free", c_ulonglong), ("used", c_ulonglong))  # bytes


@final
class Gpus:
    """All of the machine, whoever uses them; none where there is no driver."""

    def __init__(self) -> None:
        self._devices: list[c_void_p] = []
        try:
            self._nvml: Any = ctypes.CDLL(LIBRARY)
        except OSError:
            return
        count = c_uint()
        if self._nvml.nvmlInit_v2() or self._nvml.nvmlDeviceGetCount_v2(byref(count)):
            return
        self._nvml.nvmlDeviceGetHandleByIndex_v2.argtypes = [c_uint, POINTER(c_void_p)]
        handles = [c_void_p() for _ in range(count.value)]
        self._devices = [
            handle
            for number, handle in enumerate(handles)
            if not self._nvml.nvmlDeviceGetHandleByIndex_v2(number, byref(handle))
        ]

    def sample(self) -> dict[str, float]:
        """`gpu_0_utilization_percentage` and the like; what a device does not tell is left out."""
        return {
            f"gpu_{number}_{name}": value
            for number, device in enumerate(self._devices)
            for name, value in self._of(device).items()
        }

    def _of(self, device: c_void_p) -> dict[str, float]:
        values: dict[str, float] = {}
        utilization, memory, milliwatts = _Utilization(), _Memory(), c_uint()
        if not self._nvml.nvmlDeviceGetUtilizationRates(device, byref(utilization)):
            values["utilization_percentage"] = float(utilization.gpu)
        if not self._nvml.nvmlDeviceGetMemoryInfo(device, byref(memory)):
            values["memory_usage_megabytes"] = memory.used / MEGABYTE
            values["memory_usage_percentage"] = 100 * memory.used / memory.total
        if not self._nvml.nvmlDeviceGetPowerUsage(device, byref(milliwatts)):
            values["power_usage_watts"] = milliwatts.value / 1000
        return values
