"""The finaliser of MurmurHash3: every bit of a word moves every bit of the result.

Written with operators alone, so that it takes arrays of numpy and of JAX alike.
"""

from typing import TypeVar

import numpy as np

Words = TypeVar('Words')


def mixed(words: Words, salt: Words | int = 0) -> Words:
    """The words of a uint32 array, each mixed; ``salt``, words as well, goes into the middle.

    >>> mixed(np.array([0, 1, 2], np.uint32)).tolist()  # 1 as MurmurHash3's fmix32 has it
    [0, 1364076727, 821347078]
    """
    words = (words ^ (words >> 16)) * np.uint32(0x85EBCA6B) ^ salt
    words = (words ^ (words >> 13)) * np.uint32(0xC2B2AE35)
    return words ^ (words >> 16)
