"""The doctor's judgement: what it exits with, what it names, what it reads again."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from mammoscope.catalog.cbis_ddsm import index_cbis_ddsm
from mammoscope.catalog.reviewed import COLUMNS
from mammoscope.config import PhantomConfig
from mammoscope.data.cut import hash_film
from mammoscope.dicom.read import read_pixels
from mammoscope.dicom.write import rewrite_pixels
from mammoscope.errors import MammoscopeError
from mammoscope.jobs.doctor import DoctorOptions, doctor
from mammoscope.phantom import write_phantom
from mammoscope.records import Catalog
from mammoscope.vocabulary import RESEARCH_USE_ONLY, Partition

CONFIG = PhantomConfig(patients=24, seed=2, d_prime=2.0, height_px=160, width_px=112, test_fraction=0.3)

Run = Callable[..., tuple[int, str]]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("doctor") / "phantom"
    write_phantom(root, CONFIG, workers=1)
    return root


@pytest.fixture(scope="module")
def catalog(whole: Path) -> Catalog:
    return index_cbis_ddsm(whole, workers=1)


@pytest.fixture
def tree(whole: Path, tmp_path: Path) -> Path:
    """A copy to damage."""
    return Path(shutil.copytree(whole, tmp_path / "tree"))


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """(root, options) -> exit status, what was printed."""

    def _run(root: Path, **options) -> tuple[int, str]:
        status = doctor(root, DoctorOptions(store_root=tmp_path / "store", workers=1, **options))
        return status, capsys.readouterr().out

    return _run


def films(catalog: Catalog, published: Partition) -> list:
    """One a patient."""
    return list({m.patient: m for m in catalog.mammograms if m.published is published}.values())


def two_strangers(catalog: Catalog) -> tuple:
    """A film of train and one of test, of the same size and two patients."""
    train, test = (films(catalog, p) for p in (Partition.train, Partition.test))
    return next((a, b) for a in train for b in test if a.patient != b.patient)


def test_a_whole_source_is_complete(whole: Path, run: Run, tmp_path: Path):
    status, said = run(whole, html=tmp_path / "report.html")
    assert status == 0
    assert said.splitlines()[-1].startswith("complete (exit status 0)")
    assert RESEARCH_USE_ONLY in said
    page = (tmp_path / "report.html").read_text()
    assert page.index("Complete") < page.index("Files</h2>") < page.index("Traps</h2>")
    assert str(whole.parent) not in page


def test_a_deleted_mask_and_a_truncated_film_are_named(tree: Path, catalog: Catalog, run: Run, tmp_path: Path):
    first, last = catalog.abnormalities[0], catalog.mammograms[-1]
    (tree / first.mask_path).unlink()
    film = tree / last.path
    film.write_bytes(film.read_bytes()[:-1000])
    status, said = run(tree, output=tmp_path / "out")
    assert status == 2
    assert f"missing_series: {first.key}: no mask" in said
    assert f"truncated: {last.path}: E-TRUNCATED" in said
    assert said.splitlines()[-1].startswith("partial but usable (exit status 2): there, but not usable: 1 of")
    rows = pq.read_table(tmp_path / "out/findings.parquet").to_pylist()
    assert {"missing_series": first.key, "truncated": last.path}.items() <= {r["trap"]: r["row"] for r in rows}.items()


def test_one_film_under_two_patients_in_train_and_test_blocks(tree: Path, catalog: Catalog, run: Run):
    ours, other = two_strangers(catalog)
    pixels, _ = read_pixels(tree / ours.path)
    rewrite_pixels(tree / other.path, pixels)
    status, said = run(tree)
    assert status == 1
    assert said.splitlines()[-1].startswith("blocked (exit status 1): 1 film is the same, pixel for pixel")
    assert ours.key in said.splitlines()[-1]


def test_a_near_duplicate_blocks_until_it_was_reviewed(tree: Path, catalog: Catalog, run: Run, tmp_path: Path):
    ours, other = two_strangers(catalog)
    pixels, _ = read_pixels(tree / ours.path)
    rewrite_pixels(tree / other.path, pixels - (pixels > 20000) * pixels.dtype.type(3))
    assert run(tree)[0] == 1
    allow = tmp_path / "reviewed.csv"
    films = [hash_film(read_pixels(tree / m.path)[0]) for m in (other, ours)]
    row = f"{other.key},{ours.key},{films[0]},{films[1]},R. Reader,2026-11-25,two films"
    allow.write_text(f"# looked at\n{','.join(COLUMNS)}\n{row}\n")
    status, said = run(tree, allow=allow)
    assert status == 0
    assert "two films: reviewed" not in said  # the report has it
    allow.write_text("one\n")
    with pytest.raises(MammoscopeError, match="begins with 'one'"):
        run(tree, allow=allow)


def test_case_descriptions_that_contradict_themselves_block(tree: Path, run: Run, tmp_path: Path):
    table = tree / "mass_case_description_train_set.csv"
    lines = table.read_bytes().split(b"\r\n")
    table.write_bytes(b"\r\n".join([*lines[:2], lines[1], *lines[2:]]))
    status, said = run(tree, html=tmp_path / "report.html")
    assert status == 1
    assert "column 'abnormality id'" in said.splitlines()[-1]
    assert "Blocked" in (tmp_path / "report.html").read_text()


def test_nothing_to_train_on_blocks(tree: Path, catalog: Catalog, run: Run):
    for mammogram in catalog.mammograms:
        if mammogram.published is Partition.train:
            (tree / mammogram.path).unlink()
    status, said = run(tree)
    assert status == 1
    assert "0 benign and 0 malignant patients of train" in said.splitlines()[-1]


def test_without_the_pixels_nothing_is_called_complete(whole: Path, run: Run):
    status, said = run(whole, reads_pixels=False)
    assert status == 2
    assert "not checked: duplicate_film, near_duplicate, mirrored, mask_values, crop_size" in said.splitlines()[-1]


def test_a_second_look_reads_what_has_changed(tree: Path, catalog: Catalog, run: Run):
    assert "0 files are as they were last time" in run(tree)[1]
    files = len(catalog.mammograms) + 2 * len(catalog.abnormalities)
    assert f"{files} files are as they were last time, 0 to read" in run(tree)[1]
    path = tree / catalog.abnormalities[0].mask_path
    pixels, _ = read_pixels(path)
    rewrite_pixels(path, pixels * 0)
    status, said = run(tree)
    assert f"{files - 1} files are as they were last time, 1 to read" in said
    assert status == 2
    assert f"mask_values: {catalog.abnormalities[0].key}: empty" in said


def test_a_source_is_not_written_to(whole: Path, run: Run):
    for place in ({"html": whole / "report.html"}, {"output": whole}):
        with pytest.raises(MammoscopeError, match="never written to"):
            run(whole, **place)


def test_the_layout_of_2016(shared: Path, run: Run, tmp_path: Path):
    root = tmp_path / "old"
    root.mkdir()
    (root / "dicom").symlink_to(shared / "data/cbis_ddsm/dicom_sample_2016_layout")
    (root / "csv").symlink_to(shared / "data/cbis_ddsm/csv")
    status, said = run(root, output=tmp_path / "out")
    assert status == 1  # three crops, and not one film
    assert said.count(": official") == 4
    rows = pq.read_table(tmp_path / "out/findings.parquet").to_pylist()
    assert sum(row["trap"] == "swapped_mask" for row in rows) == 1
    assert "no film can be used" in said.splitlines()[-1]
