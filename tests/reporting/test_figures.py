"""All figures: what they say, that nothing is cut off, and that no pyplot is behind them."""

import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from math import nan

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from mammoscope.metrics.classes import ClassEvidence
from mammoscope.metrics.evidence import Evidence
from mammoscope.metrics.intervals import Interval
from mammoscope.metrics.levels import units_at
from mammoscope.metrics.reference import with_scores
from mammoscope.metrics.scores import average_precision, roc_auc
from mammoscope.reporting.figures import (
    batch_figure,
    class_confusion_figure,
    class_map_figure,
    confusion_figure,
    precision_recall_figure,
    roc_figure,
)
from mammoscope.reporting.figures_class_map import MapLook
from mammoscope.vocabulary import CLASSES, RESEARCH_USE_ONLY, Level, Partition, TargetPolicy


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.findobj(Text) if text.get_visible() and text.get_text()]


def cut_off(figure: Figure) -> list[str]:
    """Texts that stick out of the figure once it is drawn."""
    figure.canvas.draw()
    inside = figure.bbox.padded(-4)
    boxes = [(text, text.get_window_extent()) for text in figure.findobj(Text) if text.get_text()]
    return [
        text.get_text()
        for text, box in boxes
        if text.get_visible()
        and not (inside.x0 <= box.x0 and box.x1 <= inside.x1 and inside.y0 <= box.y0 and box.y1 <= inside.y1)
    ]


def as_large_as_the_real_one(evidence: Evidence) -> Evidence:
    """The longest words and numbers that the official data bring."""
    return replace(
        evidence,
        results=tuple(replace(result, n=2781, positives=1318, patients=1217) for result in evidence.results),
        confusions=tuple(replace(confusion, tn=1300, fp=163) for confusion in evidence.confusions),
    )


@pytest.fixture(scope="module")
def ideal(predictions):
    ratios = 3.0 * predictions.targets + np.random.default_rng(1).normal(size=len(predictions))
    return with_scores(predictions, dict(zip(predictions.ids.tolist(), ratios.tolist(), strict=True)))


@pytest.mark.parametrize("level", Level)
def test_every_title_carries_partition_level_counts_and_threshold(predictions, evidence, level):
    units, result = units_at(predictions, level), evidence.result(level, "auc")
    facts = (
        f"n = {result.n}, {result.positives} positives, 60 patients, "
        f"threshold {evidence.confusion(level).threshold:.3f}"
    )
    for name, figure in {
        "Confusion matrix": confusion_figure(evidence, level),
        "ROC": roc_figure(units, evidence),
        "Precision-recall": precision_recall_figure(units, evidence),
    }.items():
        said = texts(figure)
        assert f"{name}: validation, {level} level" in said
        assert facts in said
        assert any(RESEARCH_USE_ONLY in text for text in said)


def test_nothing_is_cut_off_at_a_thousand_pixels(predictions, evidence, ideal):
    level, large = Level.abnormality, as_large_as_the_real_one(evidence)
    units, reference = units_at(predictions, level), units_at(ideal, level)
    for figure in (
        confusion_figure(large, level),
        roc_figure(units, large, reference=reference),
        precision_recall_figure(units, large, reference=reference),
    ):
        assert cut_off(figure) == []
        assert np.asarray(figure.canvas.buffer_rgba()).shape[1] == 1000


def test_the_matrix_shows_counts_and_row_percentages(evidence):
    (axes,) = confusion_figure(evidence, Level.breast).axes
    confusion = evidence.confusion(Level.breast)
    benign, malignant = confusion.tn + confusion.fp, confusion.fn + confusion.tp
    cells = {(round(t.get_position()[0]), round(t.get_position()[1])): [] for t in axes.texts}
    for text in axes.texts:
        cells[round(text.get_position()[0]), round(text.get_position()[1])].append(text.get_text())
    assert cells == {
        (0, 0): [str(confusion.tn), f"{100 * confusion.tn / benign:.1f} % of the row"],
        (1, 0): [str(confusion.fp), f"{100 * confusion.fp / benign:.1f} % of the row"],
        (0, 1): [str(confusion.fn), f"{100 * confusion.fn / malignant:.1f} % of the row"],
        (1, 1): [str(confusion.tp), f"{100 * confusion.tp / malignant:.1f} % of the row"],
    }
    assert [label.get_text() for label in axes.get_xticklabels()] == ["called benign", "called malignant"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["benign", "malignant"]
    assert axes.get_ylim()[0] > axes.get_ylim()[1]  # row 0, benign, lies on top


def lines_of(figure: Figure) -> dict[str, np.ndarray]:
    (axes,) = figure.axes
    return {line.get_label().split(":")[0]: line.get_xydata() for line in axes.lines}


def test_the_roc_encloses_its_auc_and_marks_the_operating_point(predictions, evidence, ideal):
    units, reference = units_at(predictions, Level.image), units_at(ideal, Level.image)
    figure = roc_figure(units, evidence, reference=reference)
    lines, auc = lines_of(figure), evidence.result(Level.image, "auc")
    assert set(lines) == {"chance", "ideal observer", "at the threshold", "model"}
    for name, expected in (("model", auc.value), ("ideal observer", auc_of(reference, roc_auc))):
        across, up = lines[name].T
        assert np.trapezoid(up, across) == pytest.approx(expected, abs=1e-12)
    sensitivity, specificity = (evidence.result(Level.image, name).value for name in ("sensitivity", "specificity"))
    assert lines["at the threshold"].tolist() == [[1 - specificity, sensitivity]]
    assert (np.abs(lines["model"] - lines["at the threshold"]).sum(axis=1) < 1e-12).any()  # it lies on the curve
    legend = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert legend[0] == f"model: AUC {auc.value:.3f} ({auc.low:.3f}\N{EN DASH}{auc.high:.3f})"
    assert f"ideal observer: AUC {auc_of(reference, roc_auc):.3f}" in legend


def auc_of(units, metric) -> float:
    return float(metric(units.targets, units.scores, np.ones((1, len(units))))[0])


def test_the_precision_recall_curve_encloses_its_average_precision(predictions, evidence, ideal):
    units, reference = units_at(predictions, Level.breast), units_at(ideal, Level.breast)
    lines = lines_of(precision_recall_figure(units, evidence, reference=reference))
    for name, of in (("model", units), ("ideal observer", reference)):
        across, up = lines[name].T
        assert np.trapezoid(up, across) == pytest.approx(auc_of(of, average_precision), abs=1e-12)
    confusion = evidence.confusion(Level.breast)
    recall, precision = confusion.tp / (confusion.tp + confusion.fn), confusion.tp / (confusion.tp + confusion.fp)
    assert lines["at the threshold"].tolist() == [[recall, precision]]
    assert lines["chance"][:, 1].tolist() == [1 / 3, 1 / 3]


def test_a_threshold_that_nothing_reaches_has_no_precision_to_mark(predictions, evidence):
    none_called = replace(evidence, confusions=tuple(replace(c, tp=0, fp=0) for c in evidence.confusions))
    assert set(lines_of(precision_recall_figure(units_at(predictions, Level.image), none_called))) == {
        "chance",
        "model",
    }


def test_a_missing_interval_is_said(predictions, evidence):
    blind = replace(evidence, results=tuple(replace(result, low=nan, high=nan) for result in evidence.results))
    said = " ".join(texts(roc_figure(units_at(predictions, Level.image), blind)))
    assert f"model: AUC {evidence.result(Level.image, 'auc').value:.3f} (no interval)" in said


def batch(count: int, height: int, width: int) -> tuple[np.ndarray, np.ndarray, list[str]]:
    images = np.random.default_rng(2).random((count, height, width), dtype=np.float32)
    masks = np.zeros((count, height, width), dtype=bool)
    masks[::2, height // 4 : height // 2, width // 8 : width // 4] = True
    return images, masks, [f"Mass-Training_P_{number:05d}_RIGHT_MLO_1\nmalignant" for number in range(count)]


@pytest.mark.parametrize(("count", "height", "width"), [(1, 96, 96), (7, 96, 96), (12, 64, 80), (32, 1152, 896)])
def test_every_tile_shows_image_outline_and_caption(count, height, width):
    images, masks, captions = batch(count, height, width)
    figure = batch_figure(images, masks, captions, "First training batch")
    assert cut_off(figure) == []
    assert len(figure.axes) == count
    assert "First training batch" in texts(figure)
    assert f"{count} samples, {height} x {width} px (rows x columns)" in texts(figure)
    for number, axes in enumerate(figure.axes):
        assert axes.get_xlabel().replace("\n", "") == captions[number].replace("\n", "")
        assert (axes.get_xlim(), axes.get_ylim()) == ((-0.5, width - 0.5), (height - 0.5, -0.5))
        assert len(axes.collections) == (1 if number % 2 == 0 else 0)
        shown = axes.bbox
        assert shown.width / shown.height == pytest.approx(width / height, rel=0.01)


def test_an_outline_follows_the_pixel_borders_of_its_mask():
    images, masks, captions = batch(1, 96, 96)
    (axes,) = batch_figure(images, masks, captions, "x").axes
    vertices = np.concatenate([path.vertices for path in axes.collections[0].get_paths()])
    assert vertices.min(axis=0).tolist() == [96 // 8 - 0.5, 96 // 4 - 0.5]
    assert vertices.max(axis=0).tolist() == [96 // 4 - 0.5, 96 // 2 - 0.5]


def test_a_mask_that_fills_the_image_is_outlined_along_its_edge():
    images, masks, captions = batch(1, 96, 96)
    (axes,) = batch_figure(images, np.ones_like(masks), captions, "x").axes
    vertices = np.concatenate([path.vertices for path in axes.collections[0].get_paths()])
    assert (vertices.min(), vertices.max()) == (-0.5, 95.5)


def test_captions_do_not_run_into_each_other():
    figure = batch_figure(*batch(32, 96, 96), "x")
    figure.canvas.draw()
    boxes = [axes.xaxis.label.get_window_extent() for axes in figure.axes[:8]]
    assert all(left.x1 <= right.x0 for left, right in pairwise(boxes))


def test_pixels_are_shown_as_they_are_and_on_one_grey_scale():
    images, masks, captions = batch(2, 40, 40)
    images[1] *= 0.5
    first, second = (axes.images[0] for axes in batch_figure(images, masks, captions, "x").axes)
    assert np.array_equal(first.get_array(), images[0])
    assert first.get_clim() == second.get_clim()
    assert first.get_extent() == [-0.5, 39.5, 39.5, -0.5]


def test_large_images_are_reduced_by_block_means():
    images = np.zeros((1, 1500, 1500), dtype=np.uint16)
    images[:, ::4, ::4] = 60000
    (axes,) = batch_figure(images, np.zeros(images.shape, bool), ["x"], "x").axes
    assert axes.images[0].get_array().shape == (375, 375)
    assert set(np.unique(axes.images[0].get_array())) == {3750.0}


def test_of_more_than_32_samples_the_first_are_shown_and_it_is_said():
    figure = batch_figure(*batch(40, 32, 32), "x")
    assert len(figure.axes) == 32
    assert "The first 32 of 40 samples, 32 x 32 px (rows x columns)" in texts(figure)


@pytest.mark.parametrize(
    "spoil", [lambda i, m, c: (i, m[:1], c), lambda i, m, c: (i, m, c[:1]), lambda i, m, c: (i[:0], m[:0], [])]
)
def test_a_batch_that_does_not_fit_together_is_refused(spoil):
    with pytest.raises(ValueError, match=r"batch picture: images .* allowed are images and masks of one shape"):
        batch_figure(*spoil(*batch(2, 32, 32)), "x")


def test_no_pyplot_is_behind_them():
    program = "import sys, mammoscope.reporting.figures; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


@pytest.mark.parametrize("target", [TargetPolicy.pathology, TargetPolicy.tissue, TargetPolicy.tissue_by_kind])
def test_a_confusion_matrix_of_many_classes_shows_every_count(target):
    names = CLASSES[target]
    size = len(names)
    counts = np.arange(101, 101 + size * size).reshape(size, size)
    interval = Interval(value=0.9, low=0.85, high=0.95, dropped=0)
    classes = ClassEvidence(
        partition=Partition.validation,
        finest=Level.abnormality,
        names=names,
        confusion=counts,
        aucs=dict.fromkeys(names, interval),
        patients=77,
    )
    figure = class_confusion_figure(classes)
    shown = [text.get_text() for text in figure.axes[0].texts]
    assert {str(count) for count in counts.ravel()} <= set(shown)
    assert any("77 patients" in text.get_text() for text in figure.texts)
    assert not cut_off(figure)


def test_a_class_map_shows_both_maps_their_peaks_and_the_rois():
    rng = np.random.default_rng(0)
    rois = np.zeros((120, 80), bool)
    rois[40:60, 30:50] = True
    values = rng.random((12, 8))
    values[0, 0] = np.nan
    look = MapLook(
        film=rng.random((120, 80)),
        rois=rois,
        malignancy=values,
        normality=1 - values,
        grid=(0.0, 80.0, 120.0, 0.0),
        malignant_peak=(50.0, 40.0),
        abnormal_peak=(10.0, 20.0),
        caption="Mass-Test_P_00001_LEFT_CC: malignant\nimage: normal 0.10, benign 0.20, malignant 0.70",
    )
    for count in (1, 3):
        figure = class_map_figure([look] * count, "Class maps: test partition", "windows of 128 film px")
        panels = [axes for axes in figure.axes if axes.get_title()]
        assert [axes.get_title() for axes in panels] == ["film and ROIs", "P(malignant)", "P(normal)"] * count
        assert [len(axes.images) for axes in panels] == [1, 2, 2] * count
        peaks = [axes.lines[0].get_xydata().tolist() for axes in panels[1:3]]
        assert peaks == [[[40.0, 50.0]], [[20.0, 10.0]]]
        assert not cut_off(figure)
