"""Characters and pieces: where a piece's text lies, and which pieces cover a text.

Owns the spans of characters that pieces are given and the spans of pieces that answers are given.
Three kinds of pieces need care, because offsets of fast tokenizers are not always what they seem:

* a piece may include the space before it: its span is trimmed to the visible text;
* a blank piece (XLM-R's lone ``▁``) claims characters of its neighbour, or a space. It gets
  (start of the next visible piece, end of the visible piece before), so that start >= end marks
  it, no gold begins or ends there, and any slice from or to it is still tight;
* several pieces may share one character (``½`` becomes ``1``, ``⁄``, ``2``): tolerated. A span
  begins at the last and ends at the first of such pieces, the smallest that covers the text.
"""

import numpy as np

FAR = np.iinfo(np.int64).max  # beyond every character


def trimmed(chars_U2, text: str, blank_U) -> np.ndarray:
    """Cuts leading spaces off pieces and gives blank pieces their place, see the module's head."""
    start_U, end_U = chars_U2.T
    spaces = [ord(char) for char in set(text) if char.isspace()]
    space = np.isin(np.frombuffer(text.encode('utf-32-le') + bytes(4), np.uint32), spaces)
    while np.any(leading_U := (start_U < end_U) & space[start_U]):
        start_U = start_U + leading_U
    blank_U = blank_U | (start_U >= end_U)
    end_U = np.maximum.accumulate(np.where(blank_U, -1, end_U))
    return np.stack([np.where(blank_U, np.maximum(start_U, end_U), start_U), end_U], axis=1)


def cover(chars_U2, chars_K2) -> np.ndarray:
    """The smallest inclusive spans of visible pieces that cover [start, end) characters, or -1.

    A character of no piece (U+200B, which the normaliser drops) is not covered at an edge.
    """
    solid_X = np.flatnonzero(chars_U2[:, 0] < chars_U2[:, 1])
    start_X, end_X = (np.append(side, FAR) for side in chars_U2[solid_X].T)
    solid_X = np.append(solid_X, -1)
    start_K, end_K = chars_K2.T
    first_K = np.maximum(
        np.searchsorted(start_X, start_K, 'right') - 1, np.searchsorted(end_X, start_K, 'right')
    )
    last_K = np.minimum(
        np.searchsorted(end_X, end_K, 'left'), np.searchsorted(start_X, end_K, 'left') - 1
    )
    found_K = (start_X[first_K] < end_K) & (start_K < end_X[last_K])
    spans_K2 = np.stack([solid_X[first_K], solid_X[np.maximum(first_K, last_K)]], axis=1)
    return np.where(found_K[:, None], spans_K2, -1)


def occurrences(questions) -> tuple[np.ndarray, np.ndarray]:
    """(question, start, end) of every place where the first answer's text stands; True at gold."""
    rows = []
    for number, question in enumerate(questions):
        for gold, text in question.answers[:1]:
            start = question.passage.find(text)
            while start >= 0:
                rows.append((number, start, start + len(text), start == gold))
                start = question.passage.find(text, start + 1)
    rows = np.array(rows, np.int64).reshape(-1, 4)
    return rows[:, :3], rows[:, 3].astype(bool)
