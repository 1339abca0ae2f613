import numpy as np

from mammoscope.metrics.curves import operating_points


def test_tied_units_fall_together_from_the_highest_score_down():
    points = operating_points(
        np.array([0, 1, 1, 0]), np.array([0.3, 0.9, 0.3, 0.1]), np.array([[1.0, 1, 1, 1], [0, 2, 1, 3]])
    )
    assert points.thresholds.tolist() == [0.9, 0.3, 0.1]
    assert points.tp.tolist() == [[1, 2, 2], [2, 3, 3]]
    assert points.fp.tolist() == [[0, 1, 2], [0, 0, 3]]
