"""Every file read once; what was read before an interruption is not read again."""

from pathlib import Path

import numpy as np
import pytest

import mammoscope.data.survey as survey_module
from mammoscope.data.survey import look_at, plan_survey, survey_files
from mammoscope.data.survey_cache import known_facts, survey
from mammoscope.records import Catalog
from mammoscope.vocabulary import ImageType


def quietly(done: int, total: int) -> None:
    """No progress."""


def test_what_a_film_a_mask_and_a_crop_say(phantom: Path, catalog: Catalog):
    facts = {f.file.path: f for f in survey_files(phantom, plan_survey(phantom, catalog), workers=1, progress=quietly)}
    assert len(facts) == len(catalog.mammograms) + 2 * len(catalog.abnormalities)
    abnormality = catalog.abnormalities[0]
    mammogram = next(m for m in catalog.mammograms if m.key == abnormality.mammogram)
    film, mask, crop = (facts[p] for p in (mammogram.path, abnormality.mask_path, abnormality.crop_path))
    assert film.shape_px == mask.shape_px == (192, 128)
    assert np.frombuffer(film.thumbnail, np.uint8).max() == 255
    assert mask.levels == 2
    top, left, bottom, right = mask.box
    assert 0 <= top < bottom <= 192
    assert 0 <= left < right <= 128
    assert crop.peak == 65535
    assert all(f.trap is None for f in facts.values())


def test_what_was_read_before_an_interruption_is_kept(phantom: Path, catalog: Catalog, tmp_path: Path):
    files, cache = plan_survey(phantom, catalog)[:30], tmp_path / "surveys/one.parquet"

    def interrupt(done: int, total: int) -> None:
        if done == 10:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        survey(phantom, files, {}, cache, workers=1, progress=interrupt)
    known = known_facts(cache, files)
    assert 9 <= len(known) <= 10
    read = []
    facts = survey(phantom, files, known, cache, workers=1, progress=lambda done, total: read.append(total))
    assert set(read) == {30 - len(known)}
    assert facts == tuple(known_facts(cache, files)[file] for file in files)
    assert facts == tuple(look_at(str(phantom), file) for file in files)


def test_a_damaged_cache_knows_nothing(phantom: Path, catalog: Catalog, tmp_path: Path):
    cache = tmp_path / "one.parquet"
    files = plan_survey(phantom, catalog)[:3]
    assert known_facts(cache, files) == {}
    cache.write_bytes(b"PAR1 and no more")
    assert known_facts(cache, files) == {}


@pytest.mark.slow
def test_processes_find_what_one_finds(phantom: Path, catalog: Catalog, monkeypatch: pytest.MonkeyPatch):
    files = plan_survey(phantom, catalog)[:12]
    alone = list(survey_files(phantom, files, workers=1, progress=quietly))
    monkeypatch.setattr(survey_module, "_WORTH_A_POOL", 0)
    assert list(survey_files(phantom, files, workers=2, progress=quietly)) == alone


def test_a_file_that_has_gone_is_told(phantom: Path, catalog: Catalog, tmp_path: Path):
    file = plan_survey(tmp_path, catalog)[0]
    assert file.file_bytes == -1
    facts = look_at(str(tmp_path), file)
    assert facts.trap == "unreadable"
    assert str(tmp_path) not in facts.trouble
    assert file.image in ImageType
