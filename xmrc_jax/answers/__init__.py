"""What the paper adds to a reader: span candidates and the losses on them.

Knows arrays only: no files of questions, no tokenizer, no parameters, no configuration.
"""
