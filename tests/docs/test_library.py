"""The examples of docs/library.md run as they are printed."""

import json
import re
from pathlib import Path

import pytest

from tests.conftest import RECORDS, squad_json

PAGE = Path(__file__).parents[2] / 'docs' / 'library.md'


@pytest.fixture
def examples(exported, tmp_path, monkeypatch):
    """The page's code, with a small reader and few questions in the place of large ones."""
    monkeypatch.chdir(tmp_path)
    Path('train.json').write_text(json.dumps(squad_json(RECORDS)))
    code = PAGE.read_text('utf-8')
    for printed, small in (
        ("'runs/mlqa'", repr(str(exported))),
        ("'someone/a-squad2-reader'", repr(str(exported))),
        ("'FacebookAI/xlm-roberta-base'", repr(str(exported))),
        ('(384, 128, 64)', '(36, 8, 16)'),
        ('3e-5', '1e-2'),
        ('epochs=2', 'epochs=9'),
    ):
        assert printed in code
        code = code.replace(printed, small)
    return re.findall('```python\n(.*?)```', code, re.DOTALL)


def test_a_reader_is_asked(examples, capsys):
    exec(examples[0], names := {})
    text, start, end, _ = capsys.readouterr().out.splitlines()[0].rsplit(' ', 3)
    assert text == names['passage'][int(start) : int(end)]
    assert names['answers'][0].passage in (0, 1)


def test_a_loop_of_one_s_own_learns_and_its_reader_is_asked(examples, capsys):
    exec(examples[1], names := {})
    *steps, answers = capsys.readouterr().out.splitlines()
    losses = [float(line.split()[1]) for line in steps]
    assert len(losses) == names['drawn'].steps(9)
    assert losses[-1] < losses[0] / 2
    assert answers.startswith('[Answer(text=')
