"""The files that make an image, in which nothing stands that somebody else chose.

Names of models, columns and classes come from people and from data. Into a Dockerfile and a compose file goes of all
these the name of the model alone, cut down to what is plain in both (`plain_name`); the compose file is written by a
library for YAML. Holes of peers that this keeps closed: CVE-2026-33744 and CVE-2026-44345.
"""

from __future__ import annotations

import re
import sys
from typing import Any
from urllib.parse import quote

import yaml

from luban.export.names import plain_name

BASE = f"python:{sys.version_info.major}.{sys.version_info.minor}-slim-bookworm"
"""The Python that the versions of ``requirements.txt`` were installed for; its digest cannot be known here."""
PORT = 8080
USER = 10001

DOCKERFILE = """\
# The tag is followed by security updates. To pin it for good, build with the digest that you have checked:
#   docker build --build-arg BASE=python@sha256:... .
ARG BASE={base}
FROM ${{BASE}}

LABEL org.opencontainers.image.title="{name}" org.opencontainers.image.version="{version}"

ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1

WORKDIR /srv/model
COPY requirements.txt ./
RUN python -m pip install --no-cache-dir --no-deps --only-binary=:all: -r requirements.txt
COPY --chown={user}:{user} model/ ./

USER {user}:{user}
EXPOSE {port}
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 CMD ["python", "server.py", "--check"]
CMD ["python", "server.py", "--host", "0.0.0.0", "--port", "{port}"]
"""

IGNORE = """\
*
!requirements.txt
!model
**/__pycache__
"""

README = """\
# {title}: an image that answers

    TOKEN=$(python3 -c 'import secrets; print(secrets.token_urlsafe(32))')
    export LUBAN_TOKEN_SHA256=$(printf %s "$TOKEN" | sha256sum | cut -d' ' -f1)
    docker compose up --build --detach --wait
    curl -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' \\
         -d '{{"rows": [{{...}}], "missing": "fill"}}' http://127.0.0.1:{port}/models/{quoted}/predict

The image holds no secret: the server is told the SHA-256 of each token that is good (several are parted by commas) and
does not start without one. It runs as user {user}, on a root file system that it cannot write to, without capabilities.
The compose file offers the port to this machine alone; to others offer it behind a proxy that speaks TLS, or mount
certificate and key (PEM) and name them in `LUBAN_CERTIFICATE` and `LUBAN_KEY`.

`/health` needs no token. Everything else is `POST /models/NAME/predict` with the body and the answer of `luban serve`;
pictures and sounds are content in base64. `model/README.md` says how rows are read.

All packages are pinned in `requirements.txt`; the base image `{base}` is pinned by its tag, since an export
does not ask a registry for its digest. The export builds no image either: that is the first command's part.
"""


def image_files(reference: str, requirements: str) -> dict[str, bytes]:
    """Return the files beside the folder ``model``, by name.

    Parameters
    ----------
    reference : str
        What the registry calls the model: ``name/version``.
    requirements : str
        The lines of ``requirements.txt``.
    """
    given, _, number = reference.partition("/")
    name, version = plain_name(given), re.sub(r"[^0-9]", "", number) or "1"
    filled = {"base": BASE, "name": name, "version": version, "user": USER, "port": PORT}
    readme = README.format(**filled, title=f"`{name}/{version}`", quoted=quote(given, safe=""))
    return {
        "Dockerfile": DOCKERFILE.format(**filled).encode(),
        "compose.yaml": yaml.safe_dump(_compose(name, version), sort_keys=False).encode(),
        ".dockerignore": IGNORE.encode(),
        "requirements.txt": requirements.encode(),
        "README.md": readme.encode(),
    }


def _compose(name: str, version: str) -> dict[str, Any]:
    service = {
        "build": ".",
        "image": f"{name}:{version}",
        "user": f"{USER}:{USER}",
        "read_only": True,
        "tmpfs": ["/tmp:size=64m,mode=1777"],  # noqa: S108 - of the container
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "pids_limit": 256,
        "init": True,
        "restart": "unless-stopped",
        "stop_grace_period": "30s",  # longer than server.py gives requests in flight
        "ports": [f"127.0.0.1:{PORT}:{PORT}"],
        "environment": {
            "LUBAN_TOKEN_SHA256": "${LUBAN_TOKEN_SHA256:?the SHA-256 of a token, see README.md}",
        },
    }
    return {"services": {"model": service}}
