"""Several processes as one run: how they join, agree, take turns, stop and end together.

Its modules, each of which imports only those above it::

    watcher    a program by itself: says the last line of a process that is gone
    identity   which process this is
    last_word  what the watcher is to say
    output     lines for the user, files for the rest
    ending     one ends, for a reason that ends all
    agreement  barriers, turns, decisions of process 0
    sigterm    save, then end
    heartbeat  signs of life, and who gives none
    joining    how processes become one run
"""
