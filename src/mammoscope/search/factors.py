"""Names that stand for several settings in a search's space, as `search.configure` functions."""

from mammoscope.search.space import Draw

MULTIPLE_PX = 8


def resolution(draw: Draw) -> None:
    """`resolution`: the sides of what the network sees, as a fraction of what suits the source (`source.recipe`).

    Nothing where it is not drawn: `~search.space.resolution` takes it out.
    """
    if "resolution" not in draw:
        return
    fraction = float(str(draw.take("resolution")))
    for side in ("roi_height_px", "roi_width_px", "full_height_px", "full_width_px"):
        key = f"source.recipe.{side}"
        draw.fix(key, max(MULTIPLE_PX, round(float(str(draw[key])) * fraction / MULTIPLE_PX) * MULTIPLE_PX))
