"""``python -m luban`` is the command line."""

from luban.surfaces.cli import main

main()
