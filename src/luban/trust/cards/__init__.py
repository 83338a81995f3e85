"""Cards: what is on record of a model, as a page for people.

Nothing in a card is made up: each sentence states what was recorded, or that nothing was.
"""
