"""Which learner, with which parameters, in which mixture."""
