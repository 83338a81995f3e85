"""Which parts of one value a network's answer rests on."""
