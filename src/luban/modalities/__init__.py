"""The kinds of data: recognise, profile, encode."""
