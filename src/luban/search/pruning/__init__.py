"""When a trial is given up before its end, one rule a file.

A rule is called as ``rule(trial, step, loss)``, hears every intermediate loss, and returns whether the
trial should stop.
"""
