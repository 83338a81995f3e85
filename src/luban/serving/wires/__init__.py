"""The protocols that clients speak to the server, one file each."""
