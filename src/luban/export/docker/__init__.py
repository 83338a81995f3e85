"""An image that answers: a Dockerfile, a compose file and a small server over the Python package."""
