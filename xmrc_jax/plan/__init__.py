"""Plans: the real training step compiled for devices that are not there, and what it will cost.

``topologies`` turns a name into devices, ``compiled`` compiles a stage for them, ``hlo`` reads the
compiled text, ``plans`` looks for the change that makes it fit, ``roofline`` estimates times.
Nothing here reads data, weights or a tokenizer, and nothing is run on a device.

Axes of this room:

    C copies of an answer's text that windows hold
"""
