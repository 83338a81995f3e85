"""Strategies that walk a space, one file each (group ``luban.searchers``).

A searcher is made as ``Class(space, seed=0)`` and then only asked and told.
"""
