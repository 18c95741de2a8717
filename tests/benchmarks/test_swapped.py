"""Swapped questions: texts of others, all else as it was."""

from benchmarks import swapped
from xmrc_jax.data import squad


def test_passages_and_golds_stay_and_questions_move(squad_file, tmp_path, capsys):
    swapped.main([str(squad_file), '--output', str(tmp_path / 'swapped.json')])
    true = squad.read(squad_file).questions
    other = squad.read(tmp_path / 'swapped.json').questions
    assert [(q.id, q.passage, q.answers) for q in other] == [
        (q.id, q.passage, q.answers) for q in true
    ]
    assert sorted(q.text for q in other) == sorted(q.text for q in true)
    assert all(theirs.text != ours.text for theirs, ours in zip(other, true, strict=True))
    assert f'{len(true)} questions' in capsys.readouterr().out
