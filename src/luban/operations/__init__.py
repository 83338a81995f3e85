"""The verbs of Luban, one file each."""
