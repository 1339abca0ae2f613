"""A small CBIS-DDSM, drawn from nothing, with a known best possible score."""

from mammoscope.phantom.faults import FAULTS, parse_faults
from mammoscope.phantom.ideal import ideal_auc, log_likelihood_ratio
from mammoscope.phantom.marker import Marker, read_ideal_scores, read_marker
from mammoscope.phantom.tree import check_phantom, write_phantom

__all__ = [
    "FAULTS",
    "Marker",
    "check_phantom",
    "ideal_auc",
    "log_likelihood_ratio",
    "parse_faults",
    "read_ideal_scores",
    "read_marker",
    "write_phantom",
]
