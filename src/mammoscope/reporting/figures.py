"""The figures of a run, each a matplotlib Figure that no pyplot knows of: `savefig` it, or hand it to the tracker."""

from mammoscope.reporting.figures_batch import batch_figure
from mammoscope.reporting.figures_class_map import class_map_figure
from mammoscope.reporting.figures_confusion import class_confusion_figure, confusion_figure
from mammoscope.reporting.figures_curves import precision_recall_figure, roc_figure

__all__ = [
    "batch_figure",
    "class_confusion_figure",
    "class_map_figure",
    "confusion_figure",
    "precision_recall_figure",
    "roc_figure",
]
