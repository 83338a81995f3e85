"""Bodies of networks: each file builds an empty one from its configuration (group ``luban.architectures``)."""
