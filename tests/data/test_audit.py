"""The audit counts what comes back and explains the rest."""

from xmrc_jax.data.audit import audit
from xmrc_jax.data.squad import Answer, Question
from xmrc_jax.data.windows import WindowSize, build


def ask(id, passage, answer):
    return Question(id, 'Who?', passage, (Answer(passage.index(answer), answer),))


def test_every_kind_of_miss(words):
    passage = 'In (1984) the Fenwicks met Ada\u200b'
    questions = [
        ask('exact', passage, 'Ada'),
        ask('word', passage, 'Fenwick'),
        ask('word and punctuation', passage, '84'),
        ask('punctuation', passage, '1984'),
        ask('dropped', passage, 'Ada\u200b'),
        ask('too long', 'Ada ' * 40, 'Ada ' * 39 + 'Ada'),
        Question('unanswered', 'Who?', passage, ()),
    ]
    size = WindowSize(20, 4, 64)
    result = audit(questions, build(questions, words, size), words, size, 30)
    assert result.pop('limits')['no_answer'] == {'count': 1, 'examples': ['unanswered']}
    assert result == {
        'golds': 6,
        'exact': 1,
        'misses': {
            'word_inside_token': {'count': 2, 'examples': ['word', 'word and punctuation']},
            'punctuation_inside_token': {'count': 1, 'examples': ['punctuation']},
            'dropped_at_edge': {'count': 1, 'examples': ['dropped']},
            'not_in_any_window': {'count': 1, 'examples': ['too long']},
        },
    }


def test_an_answer_of_two_windows_counts_once(words):
    # Windows of 19 words, one begins every 9: the word at 50 = 5 * 10 lies in several.
    question = Question('q', 'Who?', 'Ada. ' * 40, (Answer(50, 'Ada.'),))
    size = WindowSize(20, 10, 64)
    windows = build([question], words, size)
    assert (windows.gold_W2[:, 0] >= 0).sum() > 1
    result = audit([question], windows, words, size, 30)
    assert (result['golds'], result['exact']) == (1, 1)


def test_what_lengths_and_the_choice_of_one_answer_leave_out_is_counted(words):
    passage = 'Ada met Fenwick in Porto in 1876 and again in 1877'
    golds = tuple(Answer(passage.index(text), text) for text in ('1876', '1877', '1876'))
    questions = [
        ask('three words', passage, 'Fenwick in Porto'),
        ask('four words', passage, 'Fenwick in Porto in'),
        Question('two', 'In which year', passage, golds),  # three words, one answer twice
        Question('once', 'In which year?', passage, golds[::2]),
        Question('cut', ' In which year did she', passage, golds[:1]),
        Question('none', 'Who?', passage, ()),
    ]
    size = WindowSize(40, 4, 3)
    limits = audit(questions, build(questions, words, size), words, size, 3)['limits']
    assert limits == {
        'long_answer': {'count': 1, 'examples': ['four words']},
        'cut_question': {'count': 1, 'examples': ['cut']},
        'several_answers': {'count': 1, 'examples': ['two']},
        'no_answer': {'count': 1, 'examples': ['none']},
    }
