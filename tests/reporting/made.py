"""A run made of files: six languages, text that wants to be markup, answers chosen by hand."""

import json
import random
from dataclasses import replace
from pathlib import Path

from xmrc_jax.data.squad import Answer, Corpus, Question
from xmrc_jax.evaluate import metrics, records
from xmrc_jax.evaluate.records import Record
from xmrc_jax.reporting import runs
from xmrc_jax.reporting.runs import Setup

LANGUAGES = ('en', 'es', 'de', 'ar', 'hi', 'vi')
HOSTILE = '</script><img src=x onerror=alert(1)> & "|" $_{x}^2 \\ `*_'
# One sentence of each language; the gold answer is the part in brackets.
SENTENCES = {
    'en': f'The bridge of Nordholm was built in [May 1876] by engineers. {HOSTILE}',
    'es': 'El puente de Nordholm fue construido en [mayo de 1876] por ingenieros.',
    'de': 'Die Brücke von Nordholm wurde im [Mai 1876] von Ingenieuren gebaut.',
    'ar': 'بُنِيَ جسر نوردهولم في [مايو 1876] على يد المهندسين.',
    'hi': 'नॉर्डहोल्म का पुल इंजीनियरों ने [मई 1876] में बनाया था।',
    'vi': 'Cây cầu Nordholm được xây vào [tháng 5 năm 1876] bởi các kỹ sư.',
}
QUESTIONS = {
    'en': f'When was the bridge built? {HOSTILE}',
    'es': '¿Cuándo fue construido el puente?',
    'de': 'Wann wurde die Brücke gebaut?',
    'ar': 'متى بُنِيَ الجسر؟',
    'hi': 'पुल कब बनाया गया था?',
    'vi': 'Cây cầu được xây khi nào?',
}


def questions(language, question_language=None, number=8):
    """As many questions to one sentence; ids are those of the other languages, too."""
    question_language = question_language or language
    before, gold, after = SENTENCES[language].replace(']', '[').split('[')
    passage = before + gold + after
    return tuple(
        Question(
            f'q{index}',
            QUESTIONS[question_language],
            f'{index}. {passage}',
            (Answer(len(f'{index}. {before}'), gold),),
            context_language=language,
            question_language=question_language,
        )
        for index in range(number)
    )


def corpora(pairs=tuple((language, language) for language in LANGUAGES), dataset='mlqa/test'):
    """Corpora and questions as a run's inputs give them."""
    for c, q in pairs:
        name = f'{dataset}/{c}' if c == q else f'{dataset}/{c}-{q}'
        yield Corpus(name, questions(c, q), c, q, 'mlqa', '', '', ()), questions(c, q)


def one_without(pairs=tuple((language, language) for language in LANGUAGES)):
    """The same corpora; the last question, which every reader answers wrong, has no answer."""
    for corpus, (*others, last) in corpora(pairs):
        yield corpus, (*others, replace(last, answers=()))


def run(
    folder: Path,
    right=None,
    *,
    seed=42,
    systems=('base', 'two_stage'),
    pairs=tuple((language, language) for language in LANGUAGES),
    dataset='mlqa/test',
    confidence=None,
    **setup,
) -> Path:
    """Writes the folder of a finished run.

    Args:
      right: system -> numbers of the questions answered right in every language; a wrong answer is
        the gold answer's last word, with the gold answer second in the n-best.
      confidence: of a question's best answer by its number, where the readers are calibrated.
    """
    right = right or {'base': (0, 1), 'two_stage': (1, 2, 3)}
    found = []
    for system in systems:
        for corpus, own in corpora(pairs, dataset):
            best, n_best = {}, {}
            for index, question in enumerate(own):
                gold = question.answers[0].text
                texts = [gold, gold.split()[-1]]
                texts = texts if index in right[system] else texts[::-1]
                best[question.id] = texts[0]
                end = question.answers[0].start + len(gold)  # of both answers
                n_best[question.id] = [
                    {
                        'text': text,
                        'probability': p,
                        'start_logit': 0.0,
                        'end_logit': 0.0,
                        'start': end - len(text),
                        'end': end,
                    }
                    for text, p in zip(texts, (0.75, 0.25), strict=True)
                ]
                for each in n_best[question.id] if confidence else ():
                    each['confidence'] = confidence(index)
            scored = metrics.score(own, best, 'mlqa', corpus.context_language)
            top_k = {1: scored['exact_match'], 2: 100.0}
            languages = corpus.context_language, corpus.question_language
            record = Record(system, dataset, *languages, len(own), **scored, top_k=top_k,
                            metric='mlqa')  # fmt: skip
            path = records.prediction_path(folder, system, corpus)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(best), 'utf-8')
            path.with_suffix('.nbest.json').write_text(json.dumps(n_best), 'utf-8')
            found.append(record)
    records.write_records(folder, found)
    (folder / 'setup.json').write_text(json.dumps({'seed': seed} | setup))
    noise = random.Random(seed)
    for system in (each for each in systems if '@' not in each):
        lines = []
        for step in range(10, 101, 10):
            line = {'step': step, 'loss': 5.0 - step / 50 + noise.random()}
            lines.append(line | ({'w': [0.1, 0.2, 0.7]} if system == 'two_stage' else {}))
            lines += [{'step': step, 'dev_f1': step / 2}] if step % 50 == 0 else []
        (folder / system).mkdir()
        (folder / system / 'metrics.jsonl').write_text('\n'.join(map(json.dumps, lines)) + '\n')
    return folder


def setup_of(folder: Path) -> Setup:
    """Of the paper's own settings, but for what `run` was given."""
    values = {
        'encoder': 'xlmr_base',
        'training': ('squad/train',),
        'mix': 'none',
        'method': ('per_candidate', 0.5, 10.0),
        'gold_is_last': True,
    } | json.loads((folder / 'setup.json').read_text())
    own = {name: tuple(v) if isinstance(v, list) else v for name, v in values.items()}
    return Setup(key=str({**own, 'seed': None}), **own)


def study_of(*folders: Path) -> runs.Study:
    """The study of some runs, or of a sweep."""
    return runs.read(folders, setup_of)[0]


def row(table, label):
    """The first row of a table that is called so."""
    return next(row for row in table.rows if row[0] == label)


class Reopened:
    """Stands in for `recipe.reopen.Reopened`: two checkpoints, each with the same answers."""

    def __init__(self, folder, pairs=tuple((language, language) for language in LANGUAGES)):
        self.calls, self._pairs, self.setup = [], pairs, setup_of(folder)

    def tests(self):
        return corpora(self._pairs)

    def kept(self, system):
        return [50, 100]

    def ask(self, system, step, question):
        self.calls.append((system, step))
        gold = question.answers[0]
        end = gold.start + len(gold.text)
        last = gold.start + gold.text.rindex(' ') + 1
        spans = [(gold.start, end, gold.text, step / 200), (last, end, gold.text[last:], 0.2)]
        spans = [(start, end, question.passage[start:end], p) for start, end, _, p in spans]
        return sorted(spans, key=lambda span: -span[3])
