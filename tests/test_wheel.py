"""The wheel carries conf/, so that `mammoscope` works from any directory, without the checkout."""

import subprocess
import sys
import zipfile
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]


def test_an_installed_wheel_composes_from_its_own_conf(tmp_path: Path):
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(CHECKOUT)]
    done = subprocess.run(build, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    site = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    folders = (site / "mammoscope/conf", CHECKOUT / "conf")
    ours, theirs = ({path.relative_to(conf) for path in conf.rglob("*.yaml")} for conf in folders)
    assert ours == theirs
    script = (
        f"import sys; sys.path.insert(0, {str(site)!r})\n"
        "import mammoscope.compose as c\n"
        f"assert c.__file__.startswith({str(site)!r}), c.__file__\n"
        "config = c.compose_config(['data=calc'])\n"
        "print(config.data.name, config.store.root)\n"
    )
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=elsewhere, check=False)
    assert done.stdout.split() == ["calc", f"{elsewhere}/mlruns/store"], done.stderr
    assert not list(elsewhere.iterdir())
