"""What weights are, whatever the file around them."""

import hashlib
from pathlib import Path

from safetensors import safe_open


def weights_digest(path: Path) -> str:
    """Of names, types, shapes and bits, in the order of the names: 32 hexadecimal digits. path: safetensors."""
    digest = hashlib.sha256()
    with safe_open(path, "np") as file:
        for name in sorted(file.keys()):
            tensor = file.get_tensor(name)
            digest.update(f"{name} {tensor.dtype} {tensor.shape}".encode())
            digest.update(tensor.tobytes())
    return digest.hexdigest()[:32]
