"""A box that stands in for a mask becomes one: a small PNG of the image's size, named by what it shows."""

import os
from pathlib import Path

import cv2
import numpy as np

from mammoscope.catalog.table import Box
from mammoscope.errors import MammoscopeError
from mammoscope.files import written_whole


def box_mask(folder: Path, shape_px: tuple[int, int], box: Box) -> Path:
    """The mask's absolute path, 255 within the box; written where it is not there yet. The folder is made.

    Its time is that of no day, so that a store which was made of it once is found again when it had to be written anew.
    """
    path = folder.resolve() / f"{shape_px[0]}x{shape_px[1]}-{'-'.join(map(str, box))}.png"
    if path.is_file():
        return path
    top, left, bottom, right = box
    mask = np.zeros(shape_px, np.uint8)
    mask[top:bottom, left:right] = 255
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with written_whole(path) as unfinished:
            _, png = cv2.imencode(".png", mask, [cv2.IMWRITE_PNG_BILEVEL, 1])
            unfinished.write_bytes(png.tobytes())
            os.utime(unfinished, (0, 0))
    except OSError as error:
        raise MammoscopeError(f"store.root: {folder} cannot be written: {error.strerror or error}") from error
    return path
