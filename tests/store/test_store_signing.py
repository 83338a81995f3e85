"""Signatures of versions and the keys they are made with. On SQLite and PostgreSQL."""

from __future__ import annotations

import base64
import stat
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from luban.core.errors import Conflict, InputError, LubanError, NotFound, Refused, Tampered
from luban.core.model import ModelSignature
from luban.store import Workspace, private_keys, signing
from luban.store.signatures import SIGNED_ONLY
from luban.testing.store import SIGNATURE, TASK

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from luban.core.model import ModelVersion

NAMES = ("../up", "a/b", "..", "", ".hidden", "a\\b", "a\0", "-x", "x" * 101, "a b", "C:x", "a\nb")


@pytest.fixture(autouse=True)
def keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for private keys, and no settings from outside."""
    for name in ("LUBAN_SIGNED_ONLY", "LUBAN_TRUSTED_KEYS", "LUBAN_KEY_PASSPHRASE", "LUBAN_SIGNING_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LUBAN_KEYS", str(tmp_path / "keys"))
    return tmp_path / "keys"


def registered(workspace: Workspace, name: str = "m", **more: Any) -> ModelVersion:
    """Register a version."""
    artifact = workspace.blobs.put_json({"name": name, "number": len(workspace.models.list())})
    return workspace.models.register(name=name, artifact=artifact, signature=SIGNATURE, task=TASK, **more)


def signs(private: Ed25519PrivateKey) -> Callable[[str, int, str], ModelSignature]:
    """Return what signs with a key."""
    identifier = signing.key_id(signing.public_of(private))
    return lambda *what: ModelSignature(key=identifier, signature=signing.sign(private, *what))


@pytest.fixture
def ada(workspace: Workspace) -> Ed25519PrivateKey:
    """A key that the workspace trusts."""
    private, _ = private_keys.create("ada")
    workspace.keys.trust("ada", signing.public_of(private))
    return private


def test_a_good_signature_is_known_and_nothing_else_counts_as_one(workspace: Workspace, ada: Ed25519PrivateKey) -> None:
    """A signature names who signed; unsigned versions are loaded until only signed ones may be."""
    registered(workspace, sign=signs(ada))
    plain = registered(workspace)
    (state,) = workspace.signatures.check(workspace.models.get("m/1"))
    assert (state.name, state.state) == ("ada", "good")
    assert workspace.signatures.check(plain) == ()
    assert workspace.signatures.signed() == {"m/1"}
    workspace.settings.set(SIGNED_ONLY, True)
    with pytest.raises(Refused, match=r"m/2 is not signed.*luban models sign m/2"):
        workspace.signatures.check(plain)
    workspace.signatures.add("m/2", signs(ada))
    assert workspace.signatures.check(plain)
    actions = [entry.action for entry in workspace.audit.entries()]
    assert {"key.trust", "setting.change", "model.sign"} <= set(actions)


def _flipped(workspace: Workspace, _ada: Ed25519PrivateKey) -> None:
    """One bit of the signature."""
    with workspace._database.writing() as connection:
        text = connection.exec_driver_sql("SELECT signature FROM model_signatures").scalar_one()
        raw = bytearray(base64.b64decode(text))
        raw[7] ^= 1
        connection.exec_driver_sql(f"UPDATE model_signatures SET signature = '{base64.b64encode(raw).decode()}'")


def _other_bytes(workspace: Workspace, _ada: Ed25519PrivateKey) -> None:
    """The version points at another manifest."""
    other = workspace.blobs.put_json({"evil": True})
    with workspace._database.writing() as connection:
        connection.exec_driver_sql(f"UPDATE models SET artifact = '{other}' WHERE version = 1")


def _other_key(workspace: Workspace, ada: Ed25519PrivateKey) -> None:
    """Somebody else signed and wrote the name of a trusted key beside it."""
    mallory = signing.sign(Ed25519PrivateKey.generate(), "m", 1, workspace.models.get("m/1").artifact)
    made = ModelSignature(key=signing.key_id(signing.public_of(ada)), signature=mallory)
    workspace.signatures.add("m/1", lambda *_: made)


def _copied(workspace: Workspace, ada: Ed25519PrivateKey) -> None:
    """A good signature of the same bytes under another number."""
    artifact = workspace.models.get("m/1").artifact
    workspace.models.register(name="m", artifact=artifact, signature=SIGNATURE, task=TASK, sign=signs(ada))
    with workspace._database.writing() as connection:
        text = connection.exec_driver_sql("SELECT signature FROM model_signatures WHERE version = 2").scalar_one()
        connection.exec_driver_sql(f"UPDATE model_signatures SET signature = '{text}' WHERE version = 1")


def _no_base64(workspace: Workspace, _ada: Ed25519PrivateKey) -> None:
    """A signature that is none."""
    with workspace._database.writing() as connection:
        connection.exec_driver_sql("UPDATE model_signatures SET signature = 'not base64!'")


@pytest.mark.parametrize("attack", [_flipped, _other_bytes, _other_key, _copied, _no_base64])
def test_a_broken_signature_is_refused(
    workspace: Workspace, ada: Ed25519PrivateKey, attack: Callable[[Workspace, Ed25519PrivateKey], None]
) -> None:
    """Whatever the policy is: other bytes, another key, another version's signature, a flipped bit."""
    registered(workspace, sign=signs(ada))
    attack(workspace, ada)
    version = workspace.models.get("m/1")
    assert [one.state for one in workspace.signatures.states(version)] == ["broken"]
    with pytest.raises(Tampered, match="the signature of m/1 is broken"):
        workspace.signatures.check(version)


def test_a_key_that_is_not_trusted_does_not_count(workspace: Workspace, ada: Ed25519PrivateKey) -> None:
    """Neither one that never was, nor one whose trust was taken away; another's good signature beside it helps."""
    version = registered(workspace, sign=signs(ada))
    workspace.signatures.add("m/1", signs(Ed25519PrivateKey.generate()))
    assert workspace.signatures.check(version), "one that is trusted signed"
    workspace.keys.remove("ada")
    with pytest.raises(Refused, match="signed by nobody who is trusted here"):
        workspace.signatures.check(version)


def test_an_exchanged_public_key_is_found(workspace: Workspace, ada: Ed25519PrivateKey) -> None:
    """Who writes another public key under a trusted identifier gains nothing: it is made from the key itself."""
    version = registered(workspace, sign=signs(ada))
    other = signing.public_of(Ed25519PrivateKey.generate())
    with workspace._database.writing() as connection:
        connection.exec_driver_sql(f"UPDATE signing_keys SET public = '{other}'")
    with pytest.raises(Tampered, match="exchanged for another"):
        workspace.signatures.check(version)


def test_a_process_can_depend_on_nothing_in_the_database(
    workspace: Workspace, ada: Ed25519PrivateKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LUBAN_SIGNED_ONLY and LUBAN_TRUSTED_KEYS hold whatever the rows say."""
    version, plain = registered(workspace, sign=signs(ada)), registered(workspace, name="plain")
    monkeypatch.setenv("LUBAN_SIGNED_ONLY", "1")
    with pytest.raises(Refused, match="not signed"):
        workspace.signatures.check(plain)
    monkeypatch.setenv("LUBAN_TRUSTED_KEYS", "0" * 32)
    with pytest.raises(Refused, match="nobody who is trusted"):
        workspace.signatures.check(version)
    monkeypatch.setenv("LUBAN_TRUSTED_KEYS", f"{'0' * 32}, {signing.key_id(signing.public_of(ada))}")
    assert workspace.signatures.check(version)


def test_a_version_is_registered_signed_or_not_at_all(workspace: Workspace, ada: Ed25519PrivateKey) -> None:
    """Where signing fails no version is left behind."""

    def fails(*_: Any) -> ModelSignature:
        raise Refused("no key")

    with pytest.raises(Refused):
        registered(workspace, sign=fails)
    assert workspace.models.list() == []
    assert registered(workspace, sign=signs(ada)).version == 1


def test_trusted_keys_have_one_name_each(workspace: Workspace, ada: Ed25519PrivateKey) -> None:
    """The same again changes nothing; another key of the name, or the key by another name, is told."""
    public = signing.public_of(ada)
    before = workspace.audit.head()
    assert workspace.keys.trust("ada", public).name == "ada"
    assert workspace.audit.head() == before
    with pytest.raises(Conflict, match="another key has this name"):
        workspace.keys.trust("ada", signing.public_of(Ed25519PrivateKey.generate()))
    with pytest.raises(Conflict, match="trusted under another name"):
        workspace.keys.trust("bob", public)
    with pytest.raises(NotFound, match="no trusted key is named 'bo'"):
        workspace.keys.remove("bo")


@pytest.mark.parametrize("name", NAMES)
def test_names_of_keys_lead_nowhere_else(tmp_path: Path, keys: Path, name: str) -> None:
    """No name makes a file outside of the folder of keys, nor reads one."""
    with pytest.raises(InputError):
        private_keys.create(name)
    with pytest.raises(LubanError):
        private_keys.load(name)
    assert not keys.exists() or not list(keys.iterdir())
    assert not list(tmp_path.glob("*.pem"))


def test_a_private_key_is_for_its_owner_alone(keys: Path) -> None:
    """Made with 0600 in a folder of 0700, never over another; a key that others may read is not used."""
    private, path = private_keys.create("ada")
    assert (stat.S_IMODE(path.stat().st_mode), stat.S_IMODE(keys.stat().st_mode)) == (0o600, 0o700)
    assert signing.public_of(private_keys.load("ada")) == signing.public_of(private)
    assert private_keys.names() == ["ada"]
    with pytest.raises(Conflict, match="there is a key 'ada'"):
        private_keys.create("ada")
    (keys / "link.pem").symlink_to(keys / "elsewhere")
    with pytest.raises(Conflict):
        private_keys.create("link")
    assert not (keys / "elsewhere").exists()
    path.chmod(0o640)
    with pytest.raises(Refused, match="others may read"):
        private_keys.load("ada")


def test_a_passphrase_is_needed_and_not_shown(keys: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An encrypted key opens with its passphrase alone, and no message holds it."""
    monkeypatch.setenv("LUBAN_KEY_PASSPHRASE", "correct horse")
    _, path = private_keys.create("ada")
    assert b"ENCRYPTED" in path.read_bytes()
    private_keys.load("ada")
    monkeypatch.setenv("LUBAN_KEY_PASSPHRASE", "wrong horse")
    with pytest.raises(Refused) as wrong:
        private_keys.load("ada")
    assert "wrong horse" not in str(wrong.value)
    monkeypatch.delenv("LUBAN_KEY_PASSPHRASE")
    with pytest.raises(Refused, match="has a passphrase"):
        private_keys.load("ada")
    assert keys.is_dir()


def test_public_keys_are_read_in_every_usual_form() -> None:
    """PEM, OpenSSH and base64 give the same key; a private key, another kind and rubbish are told apart."""
    private = Ed25519PrivateKey.generate()
    public, want = private.public_key(), signing.public_of(private)
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    ssh = public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    assert {signing.read_public(text) for text in (pem, ssh, ssh + " ada@host", want, f" {want}\n")} == {want}
    for wrong, why in (
        ("-----BEGIN PRIVATE KEY-----", "this is a private key"),
        ("-----BEGIN PUBLIC KEY-----\nx\n-----END PUBLIC KEY-----", "cannot be read"),
        ("ssh-rsa AAAA", "cannot be read"),
        ("AAAA", "no Ed25519 public key"),
        ("../../etc/passwd", "no Ed25519 public key"),
    ):
        with pytest.raises(InputError, match=why):
            signing.read_public(wrong)
