"""Contact sheets: what they say, that they stand alone, and that they trust no text of a header."""

import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from mammoscope.collection.hanging import Hung, Panel, Row
from mammoscope.data.tiles import Asked, Tile, draw_tile
from mammoscope.dicom.headers.cards import read_card
from mammoscope.errors import DicomError
from mammoscope.reporting import sheet_figure, sheet_page
from mammoscope.reporting.sheet import Drawn, date_text, facts_text
from mammoscope.vocabulary import RESEARCH_USE_ONLY

from ..clinical import breast, write_image

CHROMIUM = Path("/usr/bin/chromium")
HOSTILE = '<script>alert("1")</script>$x_1$'
ALONE = sheet_page.Place(("sheet.html",), 0)


@pytest.fixture
def hung(tmp_path: Path) -> Hung:
    said = {
        "PatientID": HOSTILE,
        "SeriesDescription": HOSTILE,
        "ImageComments": f"{HOSTILE}\x1b[2J",
        "ViewPosition": "CC",
    }
    path = write_image(tmp_path / "<b>.dcm", breast(wall_on_left=False), ImageLaterality="L", **said)
    return Hung(path, read_card(path))


def drawn(hung: Hung, tile: Tile | DicomError | None = None, boxes: sheet_figure.Boxes | None = None) -> Drawn:
    box = boxes or sheet_figure.boxes_for(1)
    asked = Asked(hung=hung, height_px=box.height_px, width_px=box.width_px, with_header=True)
    panel = Panel(hung.card.patient_id, ("20240131",), (Row("CC", None, hung),), is_continued=False)
    return Drawn(panel, {hung.path: tile or draw_tile(asked)})


def test_a_page_trusts_no_header_and_asks_nobody_for_anything(hung: Hung):
    page = sheet_page.sheet_page([drawn(hung)], HOSTILE, ALONE)
    assert "<script" not in page
    assert "<b>.dcm" not in page
    assert "\x1b" not in page
    assert "&lt;script&gt;" in page
    assert "default-src 'none'" in page
    assert not re.search(r'(src|href)="(?!data:)', page)
    assert page.count(RESEARCH_USE_ONLY) == 2


def test_a_page_says_how_it_hangs_what_was_turned_and_what_is_missing(hung: Hung):
    page = sheet_page.sheet_page([drawn(hung)], "tree", ALONE)
    assert "Right breast on the left, chest walls towards the middle" in page
    assert "mirrored (by its tissue), 60 x 40 px" in page
    assert "no R CC" in page
    assert "Orange" not in page  # it has no mask
    assert page.index("no R CC") < page.index("<b>L CC</b>")
    assert "2024-01-31" in page
    assert "<details><summary>header of L CC</summary>" in page
    assert ">7fe0</td><td>0010</td><td>PixelData</td>" in page


def test_pages_link_to_each_other(hung: Hung):
    names = ("sheet-001.html", "sheet-002.html", "sheet-003.html")
    page = sheet_page.sheet_page([drawn(hung)], "tree", sheet_page.Place(names, 1))
    assert re.findall(r'href="([^"]+)"', page) == ["sheet-001.html", "sheet-003.html"] * 2
    assert "<b>2</b>" in page


def test_what_cannot_be_drawn_stands_in_its_place_with_its_code(hung: Hung, tmp_path: Path):
    refused = drawn(hung, DicomError("E-TRUNCATED", "p", "too short"))
    page = sheet_page.sheet_page([refused], "tree", ALONE)
    assert "E-TRUNCATED: too short" in page
    assert "<img" not in page
    figure = sheet_figure.sheet_figure([refused], sheet_figure.boxes_for(1), "tree", "")
    assert any("E-TRUNCATED: too short" in text.get_text() for text in figure.texts)


def test_one_picture_has_its_header_open(hung: Hung):
    tile = drawn(hung).tiles[hung.path]
    assert isinstance(tile, Tile)
    page = sheet_page.picture_page(hung, tile, "one")
    assert "<details open>" in page
    assert RESEARCH_USE_ONLY in page


def test_the_figure_shows_each_pixel_towards_the_middle_and_says_the_same(hung: Hung, tmp_path: Path):
    boxes = sheet_figure.boxes_for(1)
    sheet = drawn(hung)
    figure = sheet_figure.sheet_figure([sheet], boxes, "tree $HOME", "page 1 of 2")
    words = " ".join(" ".join(text.get_text().split()) for text in figure.texts)
    for said in (RESEARCH_USE_ONLY, "page 1 of 2", "no R CC", "L CC", "mirrored (by its tissue)", "2024-01-31"):
        assert said in words
    sheet_figure.write_png(figure, tmp_path / "a.png")
    picture = cv2.imread(str(tmp_path / "a.png"))[..., ::-1]
    tile = sheet.tiles[hung.path]
    assert isinstance(tile, Tile)
    rows, columns = tile.picture.shape[:2]
    left = 36 + boxes.width_px + 6
    top = 92 + 40 + (boxes.height_px - rows) // 2
    np.testing.assert_array_equal(picture[top : top + rows, left : left + columns], tile.picture)


def test_a_caption_never_cuts_off_that_a_picture_was_turned(hung: Hung):
    tile = drawn(hung).tiles[hung.path]
    assert facts_text(hung, tile).startswith("mirrored (by its tissue), ")


def test_letters_that_the_font_lacks_stop_nobody(hung: Hung, tmp_path: Path):
    sheet = drawn(hung)
    panel = Panel("山田", (), sheet.panel.rows, is_continued=False)
    figure = sheet_figure.sheet_figure([Drawn(panel, sheet.tiles)], sheet_figure.boxes_for(1), "山", "")
    sheet_figure.write_png(figure, tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size > 1000


def test_dates():
    assert [date_text(date) for date in ("20240131", "", "2024", "2024013x")] == ["2024-01-31", "", "2024", "2024013x"]


@pytest.mark.slow
@pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Chromium")
def test_a_browser_shows_pictures_side_by_side_and_unfolds_a_header(hung: Hung, tmp_path: Path):
    from playwright.sync_api import sync_playwright

    other = write_image(tmp_path / "r.dcm", breast(), ImageLaterality="R", ViewPosition="CC", PatientID="P")
    right = Hung(other, read_card(other))
    tiles = {**drawn(hung).tiles, **drawn(right).tiles}
    panel = Panel("P", (), (Row("CC", right, hung),), is_continued=False)
    file = tmp_path / "sheet.html"
    many = sheet_page.Place(tuple(f"sheet-{number:03d}.html" for number in range(1, 301)), 0)
    file.write_text(sheet_page.sheet_page([Drawn(panel, tiles)], HOSTILE, many), encoding="utf-8")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1200, "height": 900})
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.on("dialog", lambda dialog: pytest.fail("a script ran"))
        page.goto(file.as_uri())
        boxes = [image.bounding_box() for image in page.locator("img").all()]
        page_width = page.evaluate("document.documentElement.scrollWidth")
        assert page.locator("details td").first.is_hidden()
        page.locator("summary").first.click()
        assert page.locator("details td").first.is_visible()
        browser.close()
    assert all(url.startswith(("file:", "data:")) for url in asked)
    assert page_width <= 1200
    first, second = boxes
    assert first is not None
    assert second is not None
    assert abs(first["y"] - second["y"]) < 1
    assert 0 <= second["x"] - (first["x"] + first["width"]) < 10  # chest walls meet
