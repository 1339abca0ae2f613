"""The report stands alone, begins with the verdict, and trusts no text of a file."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from mammoscope.catalog.conventions import Convention
from mammoscope.catalog.diagnosis import Diagnosis
from mammoscope.catalog.inventory import InventoryRow
from mammoscope.catalog.published import Origin
from mammoscope.records import Finding
from mammoscope.reporting.doctor_page import Picture, doctor_page
from mammoscope.reporting.doctor_table import doctor_lines, last_line
from mammoscope.reporting.traps import EXPLANATIONS
from mammoscope.vocabulary import RESEARCH_USE_ONLY, AbnormalityKind, ImageType, Partition, Trap

CHROMIUM = Path("/usr/bin/chromium")
HOSTILE = '<script>alert("1")</script>'
# 1 x 1 px
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010800000000"
    "3a7e9b550000000a49444154789c63600000000200014898d7340000000049454e44ae426082"
)


@pytest.fixture
def diagnosis() -> Diagnosis:
    row = InventoryRow(
        kind=AbnormalityKind.mass, partition=Partition.train, image=ImageType.mask, published=3, found=2, usable=1
    )
    findings = [Finding(trap=trap, row=f"{trap}-{HOSTILE}", found=HOSTILE, taken_as="left out") for trap in Trap]
    return Diagnosis(
        name=HOSTILE,
        is_phantom=False,
        origins={"mass_case_description_train_set.csv": Origin.other},
        inventory=(row,),
        findings=tuple(findings),
        conventions=(Convention("crops in folders", 1, 2, "not used"),),
        unchecked=(),
        blocks=("two films are one",),
        gaps=("not there: 1 of 3 masks",),
    )


def test_every_trap_is_explained_in_one_voice():
    assert list(EXPLANATIONS) == list(Trap)
    for told in EXPLANATIONS.values():
        assert told.title
        assert not told.title.endswith(".")
        assert told.means.endswith(".")
        assert told.remedy.endswith(".")


def test_the_verdict_comes_first_and_nothing_is_markup(diagnosis: Diagnosis):
    page = doctor_page(diagnosis, {Trap.mirrored: [[Picture(png=PNG, caption=HOSTILE)]]})
    assert "<script" not in page
    order = [page.index(words) for words in ("Blocked", "two films are one", "NOT the official file", 'id="leak"')]
    assert order == sorted(order)
    assert RESEARCH_USE_ONLY in page
    assert all(f'id="{trap}"' in page for trap in Trap)
    links = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert links
    assert all(link.startswith(("#", "data:image/png;base64,")) for link in links)


def test_the_terminal_names_what_was_lost(diagnosis: Diagnosis):
    words = "\n".join(str(line) for line in doctor_lines(diagnosis))
    assert f"truncated: truncated-{HOSTILE}" in words
    assert "blocks training: two films are one" in words
    assert last_line(diagnosis) == "blocked (exit status 1): two films are one"


@pytest.fixture
def browser() -> Iterator["object"]:
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="needs playwright, which requirements-all.lock holds"
    )
    if not CHROMIUM.exists():
        pytest.skip(f"needs Debian's Chromium at {CHROMIUM}: apt-get install chromium")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.mark.slow
def test_a_browser_shows_it_and_asks_nobody(diagnosis: Diagnosis, browser, tmp_path: Path):
    groups = [[Picture(png=PNG, caption="one"), Picture(png=PNG, caption="two")]]
    path = tmp_path / "a report with # and blanks.html"
    path.write_text(doctor_page(diagnosis, {Trap.duplicate_film: groups}), encoding="utf-8")
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    asked: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    page.goto(path.as_uri())
    assert [url for url in asked if not url.startswith("data:")] == [path.as_uri()]
    assert complaints == []
    verdict = page.locator(".verdict strong")
    assert verdict.inner_text() == "Blocked"
    assert verdict.bounding_box()["y"] < 200
    assert page.evaluate("[...document.images].map(i => i.complete && i.naturalWidth)") == [1, 1]
    assert page.locator(".trap").count() == len(Trap)
    page.locator(".index a", has_text="Truncated files").click()
    assert page.locator("#truncated").bounding_box()["y"] < 900
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
