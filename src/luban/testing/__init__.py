"""Conformance checks for every protocol, for built-in parts and plug-ins alike."""
