"""MLflow's pages as a person sees them: the format of the view is not documented, so a browser has to look."""

import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from mammoscope.tracking.run import MlflowTracker
from mammoscope.tracking.store import TrackingStore, open_store
from mammoscope.tracking.ui import HOST, start_server, stop_server
from mammoscope.tracking.view import SORTED_BY, ui_url
from mammoscope.vocabulary import Level

playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright, which requirements-all.lock holds")

pytestmark = pytest.mark.slow

CHROMIUM = Path("/usr/bin/chromium")
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
QUIET += ["--disable-default-apps", "--disable-sync", "--no-first-run"]
FIGURE = "figures/validation_image_confusion.png"
FIGURE_PX = 320
# Otherwise MLflow's assistant opens over the first page of a fresh browser, as it does for a person once.
NO_ASSISTANT = "localStorage.setItem('mlflow.assistant.fab.autoOpenedOnFirstLoad_v1', 'true')"
# Column heads whose text, laid out whole, is wider than what holds it.
TOO_WIDE = """all => all.filter(cell => {
    const walk = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT), range = document.createRange()
    while (walk.nextNode()) {
        range.selectNodeContents(walk.currentNode)
        if (range.getBoundingClientRect().right > cell.getBoundingClientRect().right) return true
    }
    return false
}).map(cell => cell.getAttribute('col-id'))"""
# The names as heads of one table: at one height, in this order.
SIDE_BY_SIDE = """names => {
    const all = [...document.querySelectorAll('body *')].filter(e => !e.children.length)
    const leaf = name => all.find(e => e.textContent === name)
    const boxes = names.map(leaf).map(e => e && e.getBoundingClientRect())
    const [first, second] = boxes
    return first && second && first.top === second.top && first.left < second.left
}"""
RUNS = {  # name: data, image, model, AUC; the scores are not in the order in which the runs are made
    "resnet18-mass-roi-both-s0": ("mass", "roi", "resnet18", 0.71),
    "resnet18-calc-roi-both-s0": ("calc", "roi", "resnet18", 0.83),
    "resnet50-mass-full-both-s0": ("mass", "full", "resnet50", 0.64),
    "resnet50-calc-full-both-s0": ("calc", "full", "resnet50", 0.77),
}
BY_SCORE = sorted(RUNS, key=lambda name: -RUNS[name][-1])


@dataclass(frozen=True)
class Site:
    base: str
    store: TrackingStore
    run_ids: dict[str, str]


def log_run(store: TrackingStore, name: str) -> str:
    data, image, model, auc = RUNS[name]
    variant = {"data": data, "image": image, "view": "both", "target": "malignancy", "source": "phantom"}
    tracker = store.start_run(name, {**variant, "split": "official_strict", "weights": "random", "model": model})
    tracker.metrics(
        {f"validation/{level}/auc": auc for level in Level if not (image == "full" and level == "abnormality")}
    )
    tracker.params({"trainer.epochs": 3})
    tracker.describe(
        f"**Research use only.** {name} in one sentence.\n\n| level | AUC |\n|---|---|\n| image | {auc} |\n"
    )
    log_figure(tracker)
    tracker.finish("FINISHED")
    return tracker.run_id


def log_figure(tracker: MlflowTracker) -> None:
    figure = Figure(figsize=(FIGURE_PX / 100, 2), dpi=100)
    figure.subplots().imshow([[19, 16], [5, 29]])
    tracker.figure(figure, FIGURE)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    if not CHROMIUM.exists():
        pytest.skip(f"needs Debian's Chromium at {CHROMIUM}: apt-get install chromium")
    folder = tmp_path_factory.mktemp("a folder with # and blanks")
    store = open_store(f"sqlite:///{folder}/mlflow.db", "mammoscope", home=folder)
    run_ids = {name: log_run(store, name) for name in RUNS}
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port = probe.getsockname()[1]
    server = start_server(store, port)
    yield Site(f"http://{HOST}:{port}", store, run_ids)
    stop_server(server)


@pytest.fixture(scope="module")
def browser(site: Site) -> Iterator["playwright.Browser"]:
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=str(CHROMIUM), args=QUIET)
        yield browser
        browser.close()


@pytest.fixture
def visit(site: Site, browser) -> Iterator[Callable[[str], "playwright.Page"]]:
    """Opens a page wide enough that the grid draws every column; no page may ask another host for anything."""
    context = browser.new_context(viewport={"width": 2600, "height": 1000})
    context.add_init_script(NO_ASSISTANT)
    context.set_default_timeout(60_000)
    asked: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    context.route(lambda url: not url.startswith((site.base, "data:", "blob:")), lambda route: route.abort())

    def opened(url: str) -> "playwright.Page":
        page = context.new_page()
        page.goto(url)
        return page

    yield opened
    context.close()
    assert [url for url in asked if not url.startswith((site.base, "data:", "blob:"))] == []


def cells(page, column: str) -> list[str]:
    """What a column of the table says, from the top row down; in the page they stand in the order of their making."""
    found = page.locator(f"[role=row][row-index] [role=gridcell][col-id='{column}']")
    found.first.wait_for()
    rows = found.evaluate_all("all => all.map(c => [+c.closest('[row-index]').getAttribute('row-index'), c.innerText])")
    return [text.strip() for _, text in sorted(rows)]


def test_the_link_opens_a_table_that_reads_by_variant(site: Site, visit):
    page = visit(ui_url(site.base, site.store.experiment_id))
    page.get_by_text(BY_SCORE[0]).first.wait_for()
    assert cells(page, "tags.`data`") == [RUNS[name][0] for name in BY_SCORE]
    assert cells(page, "tags.`image`") == [RUNS[name][1] for name in BY_SCORE]
    assert cells(page, "tags.`model`") == [RUNS[name][2] for name in BY_SCORE]
    assert [float(text) for text in cells(page, f"metrics.`{SORTED_BY}`")] == [RUNS[name][-1] for name in BY_SCORE]
    for tag, value in {"view": "both", "target": "malignancy", "source": "phantom", "weights": "random"}.items():
        assert cells(page, f"tags.`{tag}`") == [value] * len(RUNS)
    assert set(cells(page, "tags.`split`")) == {"official_strict"}


def test_columns_stand_in_the_views_order_and_show_their_names_whole(site: Site, visit):
    page = visit(ui_url(site.base, site.store.experiment_id))
    page.get_by_text(BY_SCORE[0]).first.wait_for()
    heads = page.locator(".ag-header-viewport .ag-header-cell[col-id]")
    boxes = heads.evaluate_all("all => all.map(c => [c.getBoundingClientRect().x, c.getAttribute('col-id')])")
    shown = [column for _, column in sorted(boxes)]
    variant = [f"metrics.`{SORTED_BY}`", *(f"tags.`{tag}`" for tag in ("data", "image", "view", "source", "model"))]
    levels = [f"metrics.`validation/{level}/auc`" for level in Level if f"validation/{level}/auc" != SORTED_BY]
    rest = [f"tags.`{tag}`" for tag in ("target", "split", "weights")]
    assert shown[: len(variant + levels + rest)] == variant + levels + rest
    cut = heads.evaluate_all(TOO_WIDE)
    assert cut == []


def test_a_figure_opens_as_a_picture(site: Site, visit):
    run = site.run_ids[BY_SCORE[0]]
    page = visit(f"{site.base}/#/experiments/{site.store.experiment_id}/runs/{run}/artifacts/{FIGURE}")
    page.get_by_text(FIGURE).first.wait_for()
    page.wait_for_function(f"[...document.images].some(i => i.complete && i.naturalWidth === {FIGURE_PX})")


def test_a_runs_page_shows_its_description_as_text_and_table(site: Site, visit):
    page = visit(f"{site.base}/#/experiments/{site.store.experiment_id}/runs/{site.run_ids[BY_SCORE[0]]}")
    page.locator("strong", has_text="Research use only.").first.wait_for()
    page.get_by_text(f"{BY_SCORE[0]} in one sentence.").first.wait_for()
    page.locator("td", has_text="0.83").first.wait_for()


def test_two_runs_compare(site: Site, visit):
    first, second = BY_SCORE[:2]
    ids = f'["{site.run_ids[first]}","{site.run_ids[second]}"]'
    page = visit(f'{site.base}/#/compare-runs?runs={ids}&experiments=["{site.store.experiment_id}"]')
    page.get_by_text("Comparing 2 Runs from 1 Experiment").wait_for()
    # One look at both names, repeated until the page has settled: it moves while its charts load.
    page.wait_for_function(SIDE_BY_SIDE, arg=[first, second])
