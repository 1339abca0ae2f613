"""`mammoscope dicom show`: headers and lists at the terminal, pictures and sheets as files."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from mammoscope.cli.__main__ import _main
from mammoscope.config import PhantomConfig
from mammoscope.errors import MammoscopeError
from mammoscope.phantom import write_phantom
from mammoscope.reporting import sheet_figure, sheet_page
from mammoscope.vocabulary import RESEARCH_USE_ONLY

from ..clinical import breast, write_image

ORANGE = np.array([255, 176, 0])


@pytest.fixture(scope="module")
def phantom(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("show") / "phantom"
    config = PhantomConfig(patients=12, seed=3, d_prime=1.8, height_px=240, width_px=160, test_fraction=0.25)
    write_phantom(root, config, workers=1)
    return root


def show(monkeypatch: pytest.MonkeyPatch, *words: object) -> int:
    monkeypatch.setattr("sys.argv", ["mammoscope", "dicom", "show", *map(str, words)])
    try:
        _main()
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def films(root: Path) -> list[Path]:
    return sorted(path for path in root.rglob("*.dcm") if "full mammogram" in path.parent.name)


def orange(picture: Path) -> int:
    return int((cv2.imread(str(picture))[..., ::-1] == ORANGE).all(axis=2).sum())


def test_the_header_of_a_file_and_how_to_see_it(phantom: Path, monkeypatch, capsys):
    assert show(monkeypatch, films(phantom)[0]) == 0
    said = capsys.readouterr().out
    assert "0008 103e SeriesDescription" in said
    assert "(0013,xx10)[CTP]" in said
    assert said.splitlines()[-1] == "for a picture: -o FILE.png, or -o FILE.html with the header in it"


def test_a_folder_is_listed_a_line_a_file(phantom: Path, monkeypatch, capsys):
    assert show(monkeypatch, phantom) == 0
    lines = capsys.readouterr().out.splitlines()
    files = list(phantom.rglob("*.dcm"))
    assert lines[-1] == f"{len(files)} files"
    assert sum(line.endswith(".dcm") for line in lines) == len(files)
    film = next(line for line in lines if line.endswith(str(films(phantom)[0])))
    assert film.split()[2:7] == ["MG", "L", "CC", "240", "160"]


def test_one_film_has_the_outlines_of_its_masks_in_the_tree(phantom: Path, tmp_path, monkeypatch):
    for film in films(phantom)[:2]:
        assert show(monkeypatch, film, "-o", tmp_path / "a.png") == 0
        assert orange(tmp_path / "a.png") > 20


def test_a_mask_may_be_named(tmp_path: Path, monkeypatch, capsys):
    film = write_image(tmp_path / "a.dcm", breast())
    mask = np.zeros((60, 40), np.uint8)
    mask[20:30, 10:20] = 255
    cv2.imwrite(str(tmp_path / "m.png"), mask)
    assert show(monkeypatch, film, "-o", tmp_path / "without.png") == 0
    assert show(monkeypatch, film, "-o", tmp_path / "with.png", "--mask", tmp_path / "m.png") == 0
    assert orange(tmp_path / "without.png") == 0
    assert orange(tmp_path / "with.png") > 100
    cv2.imwrite(str(tmp_path / "m.png"), mask[:, 1:])
    assert show(monkeypatch, film, "-o", tmp_path / "with.png", "--mask", tmp_path / "m.png") == 1
    assert f"{film}: a mask has 60 x 39 px: not drawn" in capsys.readouterr().out


def test_a_sheet_of_a_tree_hangs_films_and_draws_masks_instead_of_hanging_them(phantom, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sheet_page, "PANELS", 99)
    assert show(monkeypatch, phantom, "-o", tmp_path / "sheet.html", "--workers", 1) == 0
    said = capsys.readouterr().out
    page = (tmp_path / "sheet.html").read_text("utf-8")
    assert page.count("<img") == len(films(phantom))
    assert f"{len(list(phantom.rglob('*.dcm'))) - len(films(phantom))} masks and crops of films" in said
    assert "Orange: outlines of ROI masks" in page
    assert "Phantom, synthetic images: phantom" in page
    assert page.count(RESEARCH_USE_ONLY) == 2
    assert "ROI mask images" not in page.replace("1.000000-ROI mask images", "")


def test_a_large_tree_has_pages(phantom: Path, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sheet_figure, "PANELS", 2)
    assert show(monkeypatch, phantom, "-o", tmp_path / "sheet.png", "--workers", 1) == 0
    pages = sorted(path.name for path in tmp_path.glob("*.png"))
    assert pages == [f"sheet-{number:03d}.png" for number in range(1, len(pages) + 1)]
    assert len(pages) > 3
    assert all(orange(tmp_path / page) > 20 for page in pages)
    assert f"{pages[0]} to {pages[-1]}" in capsys.readouterr().out


def test_what_cannot_be_shown_is_listed_and_the_rest_is_shown(tmp_path: Path, monkeypatch, capsys):
    tree = tmp_path / "tree"
    write_image(tree / "a.dcm", breast())
    cut = write_image(tree / "b.dcm", breast())
    cut.write_bytes(cut.read_bytes()[:-50])
    (tree / "c.dcm").write_bytes(b"no DICOM")
    assert show(monkeypatch, tree, "-o", tmp_path / "sheet.html") == 1
    said = capsys.readouterr().out
    assert f"E-TRUNCATED {cut}" in said
    assert "E-NOT-DICOM" in said
    assert "written: 1 picture on 1 page," in said
    assert show(monkeypatch, tree) == 1
    assert show(monkeypatch, cut) == 0  # its header is whole, and says what its pixels are not
    assert "(E-TRUNCATED: " in capsys.readouterr().out
    assert show(monkeypatch, cut, "-o", tmp_path / "cut.png") == 1
    assert not (tmp_path / "cut.png").exists()


def test_names_and_headers_do_not_command_the_terminal(tmp_path: Path, monkeypatch, capsys):
    path = write_image(tmp_path / "tree" / "\x1b[2J.dcm", breast(), PatientID="\x1b[31m", SeriesDescription="[red]x")
    for words in ([path], [path.parent], [path.parent, "-o", tmp_path / "a.html"]):
        assert show(monkeypatch, *words) == 0
        said = capsys.readouterr().out
        assert "\x1b" not in said
    assert "[red]x" in said or "written" in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["{tree}", "-o", "x.jpg"], "allowed: a file that ends in .png or .html"),
        (["{tree}", "-o", "absent/x.png"], "there is no folder"),
        (["{tree}", "-o", "{tree}/x.png"], "never written to"),
        (["{tree}", "--mask", "m.png", "-o", "x.png"], "of one file"),
        (["{tree}/a.dcm", "--frame", "2"], "and -o"),
        (["{tree}/absent.dcm"], "no such file or folder"),
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path: Path, monkeypatch, words, said):
    monkeypatch.chdir(tmp_path)
    write_image(tmp_path / "tree" / "a.dcm", breast())
    with pytest.raises(MammoscopeError, match=said):
        show(monkeypatch, *(word.format(tree=tmp_path / "tree") for word in words))


def test_frames_are_chosen(tmp_path: Path, monkeypatch, capsys):
    frames = np.stack([breast(), breast()[::-1]])
    path = write_image(tmp_path / "a.dcm", frames)
    for number in (1, 2):
        assert show(monkeypatch, path, "--frame", number, "-o", tmp_path / f"{number}.png") == 0
    assert (tmp_path / "1.png").read_bytes() != (tmp_path / "2.png").read_bytes()
    assert show(monkeypatch, path, "--frame", 3, "-o", tmp_path / "3.png") == 1
    assert "E-FRAMES" in capsys.readouterr().out


@pytest.mark.slow
def test_the_real_crops_and_the_full_size_films(shared: Path, tmp_path, monkeypatch, capsys):
    samples = sorted((shared / "data" / "cbis_ddsm").glob("dicom_sample*"))
    assert show(monkeypatch, *samples, "-o", tmp_path / "crops.html") == 0
    page = (tmp_path / "crops.html").read_text("utf-8")
    assert page.count("<img") == 9
    assert "mirrored" not in page  # a crop does not tell where the chest wall is
