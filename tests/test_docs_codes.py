"""docs/dicom_codes.md lists the codes that the menu has, in its order and words."""

from pathlib import Path

from mammoscope.dicom.codes import CODES

PAGE = Path(__file__).resolve().parents[1] / "docs" / "dicom_codes.md"


def test_the_codes_are_those_of_the_menu():
    rows = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| `")]
    assert rows == [f"| `{code}` | {meaning} |" for code, meaning in CODES.items()]
