import os
import re
import stat
from concurrent.futures import ThreadPoolExecutor

import pytest

from mammoscope.catalog.pseudonyms import KEY_FILE, Pseudonyms, key_names, load_pseudonyms
from mammoscope.errors import MammoscopeError


def test_the_key_is_drawn_once_and_for_its_owner_alone(tmp_path):
    home = tmp_path / "home"
    with ThreadPoolExecutor(8) as pool:
        drawn = list(pool.map(lambda _: load_pseudonyms(home), range(8)))
    assert len({names.key for names in drawn}) == 1
    assert load_pseudonyms(home) == drawn[0]
    assert stat.S_IMODE(os.stat(home / KEY_FILE).st_mode) == 0o600
    assert load_pseudonyms(tmp_path / "another") != drawn[0]


def test_names_depend_on_the_key_and_tell_which():
    one, other = Pseudonyms(b"1" * 32), Pseudonyms(b"2" * 32)
    assert re.fullmatch(r"T[0-9a-f]{6}_[0-9a-f]{12}", one.patient("Ann"))
    assert len({one.patient("Ann"), one.patient("Bea"), other.patient("Ann")}) == 3
    assert one.patient("Ann") == Pseudonyms(b"1" * 32).patient("Ann")
    assert len({one.image("mass", "a.png"), one.image("calc", "a.png"), one.image("mass", "b.png")}) == 3
    assert key_names([one.patient("Ann"), one.patient("Bea"), "P_00001"]) == {one.patient("Ann")[1:7]}
    assert len(key_names([one.patient("Ann"), other.patient("Ann")])) == 2
    assert key_names(["P_00001"]) == frozenset()


@pytest.mark.parametrize("content", [b"", b"abc", b"\xff\xfe", b"g" * 64])
def test_what_is_no_key(tmp_path, content):
    (tmp_path / KEY_FILE).write_bytes(content)
    with pytest.raises(MammoscopeError, match=KEY_FILE):
        load_pseudonyms(tmp_path)
