"""The faces of the operations: command line, REST, Python."""
