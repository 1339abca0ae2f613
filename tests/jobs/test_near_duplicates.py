"""A film copied to another patient with other grey levels is found while preparing, and refused unless reviewed."""

from collections.abc import Callable
from pathlib import Path

import pytest

from mammoscope.catalog.cbis_ddsm import index_cbis_ddsm
from mammoscope.compose import compose_config
from mammoscope.config import PhantomConfig, TrainConfig
from mammoscope.dicom.read import read_pixels
from mammoscope.dicom.write import rewrite_pixels
from mammoscope.errors import LeakError
from mammoscope.jobs.gather import gather
from mammoscope.jobs.near_duplicates import PROPOSAL
from mammoscope.phantom import write_phantom
from mammoscope.records import Mammogram
from mammoscope.vocabulary import AbnormalityKind, Partition, View

TRAIN, TEST = Partition.train, Partition.test


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The test film of one patient lies, darker, under a training patient too, and under another test patient."""
    root = tmp_path_factory.mktemp("source") / "phantom"
    config = PhantomConfig(patients=60, seed=3, d_prime=2.0, height_px=192, width_px=128, test_fraction=0.4)
    write_phantom(root, config, workers=1)
    films = [m for m in index_cbis_ddsm(root, workers=1).mammograms if m.kind is AbnormalityKind.mass]
    of_test = _one_a_patient(films, TEST)
    copies = [(of_test[0], of_test[1]), (of_test[0], _one_a_patient(films, TRAIN)[0])]
    for (source, copy), darker in zip(copies, (0.9, 0.8), strict=True):
        pixels, _ = read_pixels(root / source.path)
        rewrite_pixels(root / copy.path, (pixels * darker).astype(pixels.dtype))
    return root


def _one_a_patient(films: list[Mammogram], published: Partition) -> list[Mammogram]:
    return list({m.patient: m for m in films if m.published is published and m.view is View.CC}.values())


@pytest.fixture
def config(tree: Path, tmp_path: Path) -> Callable[..., TrainConfig]:
    def _config(*words: str) -> TrainConfig:
        sizes = ["image=full", "image.height_px=48", "image.width_px=32", "store.workers=1", "data=mass", "view=cc"]
        places = [f"source.root={tree}", f"store.root={tmp_path / 'store'}", f"tracking.home={tmp_path / 'runs'}"]
        return compose_config(["split.validation_fraction=0.4", *sizes, *places, *words])

    return _config


def test_a_copy_is_refused_until_a_person_has_looked(config, tmp_path):
    with pytest.raises(LeakError, match=r"2 pairs of films .* look like one film: .* at correlation (1\.0|0\.99)"):
        gather(config())
    proposal = tmp_path / "store" / PROPOSAL
    rows = proposal.read_text().splitlines()
    assert rows[1] == "mammogram,other,film,other_film,who,when,why"
    reviewed = tmp_path / "reviewed.csv"
    reviewed.write_text("\n".join([*rows[:2], *(row[:-2] + "R. Reader,2026-11-25,two films" for row in rows[2:])]))
    data = gather(config(f"split.allow={reviewed}"))
    assert len(data.certificate.reviewed) == len(rows) - 2 >= 1
    assert "2026-11-25" in data.certificate.to_json()
    assert not any(words in data.certificate.to_json() for words in ("Reader", "two films"))
    note = next(note for note in data.notes if "look like one film" in note)
    assert note.startswith(f"3 pairs of films of different patients look like one film, {len(rows) - 2} of them in two")
