"""What keeps a page whole; what it shows is tested in test_command.py and tests/browser/."""

import json

from sweeper.report.page import FOLDER, SECTIONS, to_script_json


def test_data_cannot_end_their_element():
    text = to_script_json({"</script>": "<!-- & -->"})
    assert not set("<>&") & set(text) and json.loads(text) == {"</script>": "<!-- & -->"}


def test_every_section_has_its_place_in_the_template():
    template = (FOLDER / "report.html").read_text()
    places = [template.index(f'<section id="{name}">') for name in SECTIONS]
    assert places == sorted(places)
