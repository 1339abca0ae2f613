from dataclasses import replace

import pytest

from mammoscope.reporting.description import LETTERS_MAX, PartitionFacts, RunFacts, run_description
from mammoscope.vocabulary import (
    CBIS_DDSM_KINDS,
    RESEARCH_USE_ONLY,
    AbnormalityKind,
    ImageVariant,
    Partition,
    SourceName,
    SplitScheme,
    TargetPolicy,
    Trainable,
    View,
)


@pytest.fixture
def facts() -> RunFacts:
    return RunFacts(
        backbone="resnet50",
        trainable=Trainable.all,
        kinds=(AbnormalityKind.calc,),
        image=ImageVariant.roi,
        height_px=96,
        width_px=80,
        views=(View.CC, View.MLO),
        fusion=None,
        target=TargetPolicy.malignancy,
        epochs=8,
        best_epoch=6,
        source=SourceName.phantom,
        is_phantom=True,
        split=SplitScheme.official_strict,
        certificate="0123456789abcdef" * 4,
        partitions=(
            PartitionFacts(
                partition=Partition.train, patients=120, samples=341, by_class={"benign": 191, "malignant": 150}
            ),
            PartitionFacts(
                partition=Partition.validation, patients=60, samples=120, by_class={"benign": 80, "malignant": 40}
            ),
        ),
        weights="random",
        precision="fp32",
        hardware="2 CPU cores",
        duration_s=95.4,
        commit="abc1234",
        warnings=("the source's images are smaller than 96 px",),
    )


def test_a_person_reads_what_was_trained_on_what_and_how_well(facts, evidence):
    text = run_description(facts, evidence, references={"ideal observer": 0.921})
    assert text.startswith(f"**{RESEARCH_USE_ONLY}** **Phantom data")
    assert (
        "`resnet50` (all weights), trained for 8 epochs to tell malignant from benign calcifications in patches around "
        "the ROIs of 96 x 80 px, CC and MLO views, target `malignancy`. The weights of epoch 6 were kept."
    ) in text
    assert "| train | 120 | 341 | 150 |\n| validation | 60 | 120 | 40 |" in text
    assert "### Results on validation" in text
    assert "| ideal observer |" in text
    assert "certificate `0123456789ab`:" in text
    assert "- First weights: random\n- Hardware: 2 CPU cores, fp32, 1 min 35 s\n- Code: abc1234" in text
    assert text.endswith("### Warnings\n\n- the source's images are smaller than 96 px")


def test_real_data_and_a_frozen_backbone_are_called_so(facts, evidence):
    real = replace(
        facts,
        is_phantom=False,
        trainable=Trainable.head,
        image=ImageVariant.full,
        kinds=tuple(CBIS_DDSM_KINDS),
        views=(View.MLO,),
        warnings=(),
    )
    text = run_description(real, evidence, references={})
    assert "Phantom" not in text
    assert "(a new head on frozen features)" in text
    assert "benign masses and calcifications in full mammograms of 96 x 80 px, MLO views" in text
    assert "Warnings" not in text


def test_mlflow_never_cuts_it(facts, evidence):
    many = replace(facts, warnings=tuple(f"warning {number}: " + "x" * 200 for number in range(100)))
    text = run_description(many, evidence, references={})
    assert LETTERS_MAX - 300 < len(text) <= LETTERS_MAX
    told = text.count("- warning ")
    assert text.endswith(f"\n- and {100 - told} more")
