"""The one exception that means: the user can mend this."""


class UserError(Exception):
    """A mistake in the input, the configuration or the environment, said in one line.

    The message names the file or field, the record where there is one, what is wrong and how to
    mend it. Commands print it without a traceback and exit with status 2; everything else that
    is raised is a defect of this software and keeps its traceback.
    """


def first_line(error: BaseException) -> str:
    """What a message of many lines begins with, and what its colon announces; the kind of error
    where there is no message.

    Example:
      >>> first_line(OSError('disk full\\nat block 7')), first_line(TimeoutError())
      ('disk full', 'TimeoutError')
      >>> first_line(ValueError('two fields:\\n  a is text\\n  b is missing'))
      'two fields: a is text'
    """
    first, *others = (str(error).strip() or type(error).__name__).splitlines()
    return f'{first} {others[0].strip()}' if others and first.endswith(':') else first
