"""Scores and targets -> numbers. Pure functions: nothing here reads a file or keeps a state.

A metric is added by a function in scores.py and a line in one of these menus.
"""

from mammoscope.metrics.scores import average_precision, brier, roc_auc, sensitivity, specificity

THRESHOLD_FREE = {"auc": roc_auc, "average_precision": average_precision, "brier": brier}
AT_THRESHOLD = {"sensitivity": sensitivity, "specificity": specificity}
