"""Records of work that another tool has kept."""
