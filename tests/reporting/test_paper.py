"""The transcription: its tables agree with each other, and its cells have their known means."""

from statistics import fmean

import pytest

from xmrc_jax.reporting import paper


def test_the_papers_tables_agree_where_they_print_the_same_cell():
    xlmr = next(row for row in paper.SCORES['mlqa/test']['zero-shot'] if row.system == 'XLM-R base')
    top_1 = {language: em for language, (em,) in paper.TOP_K['mlqa/test'][1].items()}
    assert top_1 == {language: em for language, (_, em) in xlmr.cells.items()}
    systems = [row.system for rows in paper.SCORES['xquad/test'].values() for row in rows]
    assert len(systems) == 9
    assert systems.count('Ours') == 2


@pytest.mark.parametrize(
    ('dataset', 'setting', 'system', 'f1', 'exact_match'),
    [  # means of the printed cells, worked out independently of this code
        ('mlqa/test', 'zero-shot', 'XLM-R base', 64.15, 46.40),
        ('mlqa/test', 'zero-shot', 'Info-XLM', 63.95, 47.55),
        ('mlqa/test', 'zero-shot', 'Ours', 65.96, 48.88),
        ('mlqa/test', 'translate-train', 'XLM-R base', 65.43, 48.25),
        ('mlqa/test', 'translate-train', 'CalibreNet', 65.40, 48.85),
        ('mlqa/test', 'translate-train', 'Ours', 67.16, 50.43),
        ('xquad/test', 'zero-shot', 'XLM-R base', 73.54, 57.88),
        ('xquad/test', 'zero-shot', 'Info-XLM', 73.59, 58.50),
        ('xquad/test', 'zero-shot', 'Ours', 75.06, 59.67),
        ('xquad/test', 'translate-train', 'Ours', 76.66, 60.67),
    ],
)
def test_the_papers_cells_have_their_known_means(dataset, setting, system, f1, exact_match):
    rows = {row.system: row for row in paper.SCORES[dataset][setting]}
    means = [fmean(column) for column in zip(*rows[system].cells.values(), strict=True)]
    assert means == pytest.approx([f1, exact_match], abs=0.0051)


def test_every_printed_cell_of_the_ablations():
    ours = paper.TABLES['appendix_2/mlqa'].rows[3]
    assert (ours.system, ours.cells['vi'], ours.deviations['hi']) == ('Ours', (66.74, 45.44), 0.3)
    assert [len(table.rows) for table in paper.TABLES.values()] == [4, 5, 4, 5, 4, 4, 5, 5, 7, 6]
    assert paper.TABLES['table_7'].rows[0].cells == {
        language: paper.TABLES['table_5/translate-train'].rows[-1].cells[language]
        for language in ('es', 'ar', 'vi')
    }
    assert all(row.average and not row.cells for row in paper.TABLES['appendix_1/xquad'].rows)
    average = paper.TABLES['appendix_1/mlqa'].rows[0].average
    assert average == ours.average == (66.0, 48.88)


@pytest.mark.parametrize('table', [name for name in paper.TABLES if name.startswith('table_')])
def test_cells_are_percentages_with_f1_first(table):
    for row_ in paper.TABLES[table].rows:
        for cells in row_.cells.values():
            assert all(10 < value < 90 for value in cells)
            assert len(cells) == 1 or cells[0] > cells[1]
