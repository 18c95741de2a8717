"""The page in a real browser: widths, colours, six languages, filters, and no network."""

import html
import json
import re
from itertools import product

import pytest

from tests.reporting import made
from tests.reporting.test_runs import sweep
from tests.reporting.test_tables import TABLE
from xmrc_jax.reporting import contents, page


@pytest.fixture(scope='module')
def report(tmp_path_factory):
    folder = tmp_path_factory.mktemp('report')
    pairs = (*((language, language) for language in made.LANGUAGES), ('en', 'de'))
    run = made.run(folder / 'run', pairs=pairs)
    ids = [f'q0@{language}' for language in made.LANGUAGES]
    swept = sweep(folder / 'sweep')
    reopened = lambda path: made.Reopened(path, pairs)  # noqa: E731
    page.write(folder / 'out', *contents.build([run, swept], reopened, ids, None))
    return folder / 'out'


def test_all_files_are_written_twice_the_same(report, tmp_path):
    run = made.run(tmp_path / 'run')
    for name in 'ab':
        page.write(tmp_path / name, *contents.build([run], made.Reopened, ['q0@hi'], None))
    files = sorted(path.relative_to(tmp_path / 'a') for path in (tmp_path / 'a').rglob('*.*'))
    written = {f'report.{kind}' for kind in ('html', 'md', 'tex', 'json')}
    assert written < set(map(str, files))
    for file in files:
        assert (tmp_path / 'a' / file).read_bytes() == (tmp_path / 'b' / file).read_bytes()
    figures = {path.name for path in (report / 'figures').iterdir()}
    assert {'sweep-1.png', 'sweep-1.svg', 'training-0.w.svg', 'training-0.loss.base.png'} <= figures
    assert 'case.q0.ar-ar.two_stage.svg' in figures


def test_the_page_names_no_address_and_keeps_text_text(report):
    text = (report / 'report.html').read_text('utf-8')
    assert '<img' not in text
    assert text.count('</script>') == 3  # two comparisons and the page's own
    links = re.findall(r"""(?:src|href)=["']([^"']*)""", text)
    assert {link[:1] for link in links} == {'#', 'd'}  # within the page, and the empty icon
    assert '@import' not in text
    assert 'url(http' not in text


def test_html_is_escaped():
    text = page.render('html', '', [page.Section('Scores', [TABLE])])
    text = text[text.index('<table') : text.index('</section>')]
    assert '<img' not in text
    assert '</script' not in text
    assert html.unescape(text).count(made.HOSTILE) == 6  # caption, header, 3 cells, note
    assert '<td>60.00/40.00<small> ±1.00/2.00</small></td>' in text
    assert re.findall('scope="(.*?)"', text) == ['col', 'col', 'rowgroup', 'row', 'row']


def test_a_case_is_set_off_and_escaped(report):
    text = (report / 'report.html').read_text('utf-8')
    passage = next(each for each in re.findall('<p class="passage".*?</p>', text) if 'img' in each)
    assert made.HOSTILE in html.unescape(passage)
    assert '<u class="gold"><mark style="--p:' in passage


def test_data_cannot_end_their_script(report):
    text = (report / 'report.html').read_text('utf-8')
    data = re.findall('<script type="application/json">(.*?)</script>', text)
    assert made.HOSTILE in json.loads(data[0])['rows'][0][6]
    assert not any('<' in each for each in data)


def test_every_row_is_in_markdown_and_latex(report):
    markdown, latex = ((report / f'report.{end}').read_text('utf-8') for end in ('md', 'tex'))
    for text in (markdown, latex):
        assert 'paper, table' in text
        assert 'alpha = 0.3' in text
        assert '1 of 2' in text
    assert latex.count(r'\begin{table}') == latex.count(r'\end{table}') > 5
    for name in re.findall(r'\(figures/(.*?)\)', markdown):
        assert (report / 'figures' / name).exists()


def test_every_table_is_in_json(report):
    values = json.loads((report / 'report.json').read_text('utf-8'))
    tables = [table for section in values['sections'] for table in section['tables']]
    latex = (report / 'report.tex').read_text('utf-8')
    assert len(tables) == latex.count(r'\begin{table}')
    assert all(len(row) in (1, len(table['header'])) for table in tables for row in table['rows'])


class Opened:
    """The report in a window, its messages and its requests."""

    def __init__(self, browser, report, width, scheme):
        self.messages, self.requests = [], []
        self.page = browser.new_page(viewport={'width': width, 'height': 900}, color_scheme=scheme)
        self.page.on('console', lambda message: self.messages.append(message.text))
        self.page.on('pageerror', lambda error: self.messages.append(str(error)))
        self.page.on('request', lambda request: self.requests.append(request.url))
        self.page.goto(f'file://{report}/report.html')


@pytest.mark.parametrize(('width', 'scheme'), list(product((390, 1400), ('light', 'dark'))))
def test_nothing_overflows_complains_or_asks_the_network(browser, report, width, scheme):
    opened = Opened(browser, report, width, scheme)
    for summary in opened.page.locator('summary').all():
        if not summary.evaluate('e => e.parentElement.open'):
            summary.click()
    assert opened.page.evaluate('document.documentElement.scrollWidth') <= width
    assert opened.messages == []
    assert opened.requests == [f'file://{report}/report.html']
    colours = opened.page.evaluate(
        '[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.querySelector'
        "('svg text')).fill, getComputedStyle(document.body).color]"
    )
    paper, ink, text = colours
    assert (paper == 'rgb(255, 255, 255)') == (scheme == 'light')
    assert ink == text  # figures are drawn in the page's own ink
    opened.page.close()


def test_each_language_runs_its_own_way(browser, report):
    opened = Opened(browser, report, 390, 'light')
    for language in made.LANGUAGES:
        passage = opened.page.locator(f'details[open] p.passage[lang={language}]').first
        assert passage.evaluate('e => getComputedStyle(e).direction') == (
            'rtl' if language == 'ar' else 'ltr'
        )
        text = passage.evaluate('e => e.textContent')
        assert text == made.questions(language)[0].passage
    # The first of a line's letters is the rightmost: Arabic is set from right to left.
    edges = opened.page.locator('p.passage[lang=ar]:visible').first.evaluate(
        """e => [0, 1].map(at => { const r = document.createRange(); const t = e.firstChild;
           r.setStart(t, at * 4); r.setEnd(t, at * 4 + 1); return r.getBoundingClientRect().x })"""
    )
    assert edges[0] > edges[1]
    opened.page.close()


def test_filters_find_what_they_say(browser, report):
    opened = Opened(browser, report, 390, 'dark')
    part = opened.page.locator('.comparison').first
    count = part.locator('.count')
    assert count.inner_text().startswith('56 of 56 questions, page 1 of 3')  # 6 languages + en-de
    part.locator('button', has_text='Next').click()
    assert 'page 2 of 3' in count.inner_text()
    part.locator('[name=language]').select_option('ar')
    assert count.inner_text().startswith('8 of 56')
    part.locator('[name=kind]').select_option('won')
    assert count.inner_text().startswith('2 of 56')
    row = part.locator('.row').first
    assert row.locator('p.passage').evaluate('e => getComputedStyle(e).direction') == 'rtl'
    assert ''.join(row.locator('u.gold').all_inner_texts()) == 'مايو 1876'
    # Base was wrong with the last word of the gold answer, two_stage has it: shaded and framed.
    assert row.locator('mark.a').all_inner_texts() == ['1876']
    assert ''.join(row.locator('mark.b').all_inner_texts()) == 'مايو 1876'
    assert row.locator('p.passage').inner_text().endswith('على يد المهندسين.')
    part.locator('[name=kind]').select_option('')
    part.locator('[name=language]').select_option('')
    part.locator('[name=text]').fill('CÂY CẦU')  # typed in capitals, found in any case
    assert count.inner_text().startswith('8 of 56')
    part.locator('[name=text]').fill('</script><img')
    assert count.inner_text().startswith('16 of 56')  # as text: en-en and en-de
    assert part.locator('img').count() == 0
    assert opened.messages == []
    opened.page.close()


def test_a_table_that_is_wider_than_the_window_says_so(browser, report):
    for width in (390, 1400):
        opened = Opened(browser, report, width, 'light')
        hints = opened.page.evaluate(
            """[...document.querySelectorAll('.scroll')].map(e =>
               [e.scrollWidth > e.clientWidth, !e.previousElementSibling.hidden])"""
        )
        assert all(wide == hinted for wide, hinted in hints)
        assert any(wide for wide, _ in hints) or width > 390
        opened.page.close()


def test_the_page_can_be_used_and_told_without_a_mouse(browser, report):
    opened = Opened(browser, report, 1400, 'light')
    unnamed = opened.page.evaluate(
        """[...document.querySelectorAll('select, input, [role=img], [role=region], meter')]
           .filter(e => !(e.labels && e.labels.length) && !e.getAttribute('aria-label')).length"""
    )
    assert unnamed == 0
    loose = opened.page.evaluate(
        "[...document.querySelectorAll('th')].filter(e => !e.getAttribute('scope')).length"
    )
    assert loose == 0
    levels = opened.page.evaluate(
        "[...document.querySelectorAll('main h2, main h3, main h4')].map(e => +e.tagName[1])"
    )
    assert levels[0] == 2
    opened.page.keyboard.press('Tab')
    assert opened.page.evaluate('document.activeElement.className') == 'skip'
    opened.page.close()
