"""Alerts: rules, who is told and how often, where webhooks may go, and that nothing secret is shown."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from aiosmtpd.controller import Controller

from luban.core.alert import AlertRule, AlertState
from luban.core.errors import InputError, LubanError, NotFound, Refused, Unavailable
from luban.core.model import Signature
from luban.core.schema import Column
from luban.core.serial import to_json
from luban.core.task import Task
from luban.monitoring.alerts import address, channel, mail, webhook
from luban.monitoring.alerts.look import look, step
from luban.monitoring.alerts.notice import Notice
from luban.monitoring.alerts.quiet import is_quiet
from luban.monitoring.alerts.rule import crossed, parsed
from luban.operations.alerts.add import alerts_add
from luban.operations.alerts.list_ import alerts_list
from luban.operations.alerts.remove import alerts_remove
from luban.operations.alerts.test import alerts_test
from luban.store import Workspace
from luban.surfaces.call import call

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
NOTICE = Notice(
    event="alarm",
    alert="moved",
    deployment="adult",
    figure="drift.share",
    value=0.5,
    comparison=">",
    limit=0.3,
    moment=NOON,
)


class Receiver:
    """A real HTTP server on loopback that keeps what it is sent."""

    def __init__(self, code: int = 200) -> None:
        self.taken: list[tuple[str, dict[str, str], bytes]] = []
        self.code = code
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.taken.append((self.path, dict(self.headers), body))
                self.send_response(receiver.code)
                if receiver.code == 302:
                    self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hooks/a-secret-path"


@contextmanager
def receiver(code: int = 200) -> Iterator[Receiver]:
    one = Receiver(code)
    thread = threading.Thread(target=one.server.serve_forever)
    thread.start()
    try:
        yield one
    finally:
        one.server.shutdown()
        one.server.server_close()
        thread.join()


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    """With a model of two columns that is deployed as ``adult``; its artefact is nothing that is read."""
    columns = (Column(name="age", kind="number"), Column(name="sex", kind="category"))
    task = Task(kind="binary", target="rich", inputs=("age", "sex"), metric="roc_auc", classes=("no", "yes"))
    with Workspace.open(tmp_path / ".luban", actor="ada") as one:
        signature = Signature(inputs=columns, outputs=())
        one.models.register(name="adult", artifact=one.blobs.put(b"adult"), signature=signature, task=task)
        one.deployments.set("adult", {"adult/1": 1.0})
        yield one


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What listens here answers, however busy the machine is."""
    for way in (webhook, mail):
        monkeypatch.setattr(way, "_TIMEOUT", 180.0)


@pytest.fixture
def allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUBAN_WEBHOOK_NETWORKS", "127.0.0.0/8")
    monkeypatch.setenv("HOOK_KEY", "key-of-the-hook")


# --- rules ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    ["", "drift.share", "drift.share > many", "> 1", "a == 1", "a > nan", "a > inf", "a >> 1", "a > > 1", "a => 1"],
)
def test_rules_that_cannot_be_read_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="rule"):
        parsed(text)


def test_a_pattern_means_the_figure_furthest_over_the_limit() -> None:
    rule = AlertRule(name="a", deployment="d", figure="columns.*.psi", comparison=">", limit=0.2, to="log")
    figures = {"columns.age.psi": 0.1, "columns.pay.psi": 0.4, "columns.pay.ks": 0.9}
    assert crossed(rule, figures) == ("columns.pay.psi", 0.4, True)
    assert crossed(rule, {"verdict": 1.0}) is None


# --- when somebody is told --------------------------------------------------------------------------


def _played(rule: AlertRule, *looks: tuple[float, bool]) -> list[str | None]:
    """Return what is told at each (hours after noon, on)."""
    state, told = AlertState(), []
    for hour, on in looks:
        event, state = step(rule, state, 1.0, on=on, moment=NOON + timedelta(hours=hour))
        told.append(event)
    return told


def _rule(**settings: Any) -> AlertRule:
    return AlertRule(name="a", deployment="d", figure="x", comparison=">", limit=0, to="log", **settings)


def test_an_alarm_is_told_once_and_its_end_once() -> None:
    looks = [(0, False), (1, True), (2, True), (3, False), (4, False), (5, True)]
    assert _played(_rule(), *looks) == [None, "alarm", None, "recovery", None, "alarm"]


def test_an_alarm_that_goes_on_is_told_again_after_a_time() -> None:
    assert _played(_rule(repeat=7200), (0, True), (1, True), (2, True), (3, True)) == ["alarm", None, "reminder", None]


def test_quiet_hours_hold_an_alarm_back_until_they_are_over() -> None:
    rule = _rule(quiet="13:00-15:00")
    assert _played(rule, (1, True), (2, True), (3, True), (3.5, False)) == [None, None, "alarm", "recovery"]
    assert _played(rule, (1, True), (2, False), (3, False)) == [None, None, None]
    assert _played(rule, (0, True), (1, False), (3, False)) == ["alarm", None, "recovery"]


def test_quiet_hours_know_zones_and_midnight() -> None:
    late = datetime(2026, 7, 1, 20, 30, tzinfo=UTC)
    assert is_quiet("22:00-07:00 Europe/Berlin", late)
    assert not is_quiet("22:00-07:00", late)
    for wrong in ("22-7", "25:00-07:00", "22:00-07:00 Nowhere/City"):
        with pytest.raises(InputError, match="quiet"):
            is_quiet(wrong, late)


def test_what_could_not_be_told_is_told_at_the_next_look(workspace: Workspace, allowed: None) -> None:
    """The receiver fails first: the alarm is not taken for told. The same for the recovery."""
    with receiver(503) as hook:
        alerts_add(workspace, "moved", "adult", "drift.share > 0.3", to=hook.url)
        on, off = {"drift.share": 0.5}, {"drift.share": 0.1}
        (line,) = look(workspace.alerts, "adult", on, NOON)
        assert "Could not tell" in line
        assert "a-secret-path" not in line
        hook.code = 200
        assert look(workspace.alerts, "adult", on, NOON) == ("Alarm: moved on adult: drift.share > 0.3, now 0.5",)
        assert look(workspace.alerts, "adult", on, NOON) == ()
        hook.code = 503
        assert "Could not tell" in look(workspace.alerts, "adult", off, NOON)[0]
        hook.code = 200
        assert look(workspace.alerts, "adult", off, NOON) == ("Recovered: moved on adult: drift.share > 0.3, now 0.1",)
        assert look(workspace.alerts, "adult", off, NOON) == ()


@pytest.mark.long
def test_what_was_taken_but_not_acknowledged_comes_again_under_the_same_id(workspace: Workspace, allowed: None) -> None:
    """At each look until the receiver says that it has it; an alarm that is over by then is told, and then its end."""
    with receiver(503) as hook:
        alerts_add(workspace, "moved", "adult", "drift.share > 0.3", to=hook.url)
        for share in (0.5, 0.6, 0.1):
            assert "Could not tell" in look(workspace.alerts, "adult", {"drift.share": share}, NOON)[0]
            (one,) = alerts_list(workspace).alerts
            assert one.told is None
        hook.code = 200
        later = NOON + timedelta(minutes=1)
        told = look(workspace.alerts, "adult", {"drift.share": 0.1}, later)
        assert [line.partition(":")[0] for line in told] == ["Alarm", "Recovered"]
        assert look(workspace.alerts, "adult", {"drift.share": 0.1}, later) == ()
        *alarms, recovery = [json.loads(body) for _, _, body in hook.taken]
        assert len(alarms) == 4
        assert alarms == [alarms[0]] * 4
        assert (recovery["event"], recovery["id"] == alarms[0]["id"]) == ("recovery", False)


KILLED = """
import os, signal, sys
from datetime import datetime
from luban.monitoring.alerts import channel
from luban.monitoring.alerts.look import look
from luban.store import Workspace
send = channel.send
def killed(rule, notice):
    if sys.argv[2] == "after":
        send(rule, notice)
    os.kill(os.getpid(), signal.SIGKILL)
channel.send = killed
with Workspace.open(sys.argv[1]) as workspace:
    look(workspace.alerts, "adult", {"drift.share": float(sys.argv[3])}, datetime.fromisoformat(sys.argv[4]))
"""


@pytest.mark.long
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_kill_while_telling_loses_no_notice(workspace: Workspace, allowed: None, when: str) -> None:
    """The process dies before a notice is sent, or before that is noted: the next looks send it under the same id. The
    alarm and its end come in their order, each at least once; another look while somebody tells sends nothing."""
    with receiver() as hook:
        alerts_add(workspace, "moved", "adult", "drift.share > 0.3", to=hook.url)
        for place, share in enumerate((0.5, 0.1)):
            moment = NOON + timedelta(hours=place)
            told = len(hook.taken)
            command = [sys.executable, "-c", KILLED, str(workspace.root), when, str(share), moment.isoformat()]
            assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
            figures = {"drift.share": share}
            assert look(workspace.alerts, "adult", figures, moment + timedelta(seconds=5)) == ()
            line, *_ = look(workspace.alerts, "adult", figures, moment + timedelta(minutes=3))
            assert line.startswith(("Alarm", "Recovered")[place])
            assert look(workspace.alerts, "adult", figures, moment + timedelta(minutes=6)) == ()
            mine = [json.loads(body) for _, _, body in hook.taken[told:]]
            assert len(mine) == {"before": 1, "after": 2}[when]
            assert {(one["id"], one["event"]) for one in mine} == {(mine[0]["id"], ("alarm", "recovery")[place])}


def test_what_was_left_untold_waits_for_quiet_hours_and_receivers(workspace: Workspace, allowed: None) -> None:
    """A notice that a killed process left: not in quiet hours, again and again until it is taken, then never more."""
    with receiver(503) as hook:
        alerts_add(workspace, "moved", "adult", "drift.share > 0.3", to=hook.url, quiet="22:00-07:00")
        left = AlertState(since=NOON, told=NOON, value=0.5, notice=to_json(NOTICE), claimed=NOON)
        assert workspace.alerts.move("moved", AlertState(), left)
        on = {"drift.share": 0.5}
        assert look(workspace.alerts, "adult", on, NOON.replace(hour=23)) == ()
        morning = NOON + timedelta(days=1)
        assert "Could not tell" in look(workspace.alerts, "adult", on, morning)[0]
        hook.code = 200
        assert look(workspace.alerts, "adult", on, morning) == (NOTICE.line,)
        assert look(workspace.alerts, "adult", on, morning + timedelta(hours=1)) == ()
    assert {json.loads(body)["id"] for _, _, body in hook.taken} == {NOTICE.id}


def test_of_two_that_see_the_same_alarm_one_tells(workspace: Workspace) -> None:
    alerts_add(workspace, "moved", "adult", "rows > 0")
    seen = AlertState()
    after = AlertState(since=NOON, told=NOON, value=1.0)
    assert workspace.alerts.move("moved", seen, after)
    assert not workspace.alerts.move("moved", seen, after)


# --- webhooks ---------------------------------------------------------------------------------------


def test_a_webhook_is_signed_so_that_the_receiver_can_tell(allowed: None) -> None:
    with receiver() as hook:
        webhook.send(hook.url, "HOOK_KEY", NOTICE)
    ((path, headers, body),) = hook.taken
    assert path == "/hooks/a-secret-path"
    assert json.loads(body)["line"] == NOTICE.line
    signed = headers["Luban-Signature"]
    assert webhook.verify("key-of-the-hook", body, signed)
    assert not webhook.verify("another-key", body, signed)
    assert not webhook.verify("key-of-the-hook", body + b" ", signed)
    assert not webhook.verify("key-of-the-hook", body, signed, moment=1e10)
    for wrong in ("", "t=,v1=", "t=1", signed.replace("t=", "t=1"), "t=²,v1=0"):
        assert not webhook.verify("key-of-the-hook", body, wrong)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:9/x", "http://localhost:9/x", "http://[::1]:9/x", "http://0.0.0.0:9/"]
)
def test_loopback_is_refused_unless_allowed(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LUBAN_WEBHOOK_NETWORKS", raising=False)
    with pytest.raises(Refused, match="not public"):
        webhook.send(url, None, NOTICE)


@pytest.mark.parametrize(
    "one",
    [
        "10.1.2.3", "172.16.0.1", "192.168.1.1", "127.0.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
        "255.255.255.255", "::1", "::", "fe80::1", "fc00::1", "ff02::1", "::ffff:10.0.0.1", "64:ff9b::a00:1",
        "2002:a00:1::",
        "2001:db8::1", "192.0.2.1",
    ],
)  # fmt: skip
def test_addresses_that_are_not_public_are_told_from_those_that_are(one: str) -> None:
    assert not address.is_public(one)


@pytest.mark.parametrize("one", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8"])
def test_public_addresses_are_public(one: str) -> None:
    assert address.is_public(one)


@pytest.mark.parametrize("host", ["2130706433", "0x7f000001", "127.1", "0177.0.0.1"])
def test_other_spellings_of_loopback_are_refused(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LUBAN_WEBHOOK_NETWORKS", raising=False)
    with pytest.raises((Refused, Unavailable)):
        webhook.send(f"http://{host}:9/", None, NOTICE)


def test_a_name_with_one_private_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """All addresses of a name are looked at: a public one beside it does not help."""
    both = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, 443)) for one in ("8.8.8.8", "10.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_a, **_k: both)
    with pytest.raises(Refused):
        address.resolved("two.example", 443)


def test_the_name_is_asked_once_and_the_connection_goes_to_that_address(
    allowed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that means another address at the second asking (DNS rebinding) is never asked a second time."""
    asked: list[str] = []
    real = socket.getaddrinfo

    def resolve(host: str, *rest: Any, **more: Any) -> Any:
        if host == "hook.example":
            asked.append(host)
            return real("127.0.0.1" if len(asked) == 1 else "10.255.255.1", *rest, **more)
        return real(host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with receiver() as hook:
        webhook.send(f"http://hook.example:{hook.server.server_port}/x", None, NOTICE)
    assert asked == ["hook.example"]
    assert hook.taken[0][1]["Host"].startswith("hook.example")


def test_redirects_are_not_followed(allowed: None) -> None:
    with receiver(302) as hook, pytest.raises(Unavailable, match="not followed"):
        webhook.send(hook.url, None, NOTICE)
    assert len(hook.taken) == 1


def test_the_open_internet_is_only_met_encrypted(monkeypatch: pytest.MonkeyPatch) -> None:
    public = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("8.8.8.8", 80))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_a, **_k: public)
    with pytest.raises(Refused, match="encrypted"):
        webhook.send("http://hook.example/x", None, NOTICE)


def test_a_receiver_that_is_not_there_is_unavailable(allowed: None) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, and nobody listens
        with pytest.raises(Unavailable, match="does not answer"):
            webhook.send(f"http://127.0.0.1:{taken.getsockname()[1]}/", None, NOTICE)


@pytest.mark.parametrize(
    "to",
    ["", "file:///etc/passwd", "ftp://host/x", "gopher://x", "https://", "https://user:pw@host/", "http://host:port/",
     "https://host/a b", "https://host/\r\nX: y", "mailto:nobody", "mailto:a@b\nBcc: c@d", "env:", "env:A-B"],
)  # fmt: skip
def test_ways_that_are_none_are_refused_when_the_rule_is_made(workspace: Workspace, to: str) -> None:
    with pytest.raises(InputError):
        alerts_add(workspace, "moved", "adult", "rows > 0", to=to)
    assert alerts_list(workspace).alerts == ()


# --- mail -------------------------------------------------------------------------------------------


class Mailbox:
    def __init__(self) -> None:
        self.taken: list[Any] = []

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        self.taken.append(envelope)
        return "250 OK"


@contextmanager
def mail_server(box: Mailbox) -> Iterator[str]:
    """Run a server on a port that is its own from the beginning; gives host and port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        class Listening(Controller):
            def _create_server(self) -> Any:
                return self.loop.create_server(self._factory_invoker, sock=listener)

        server = Listening(box, "127.0.0.1", listener.getsockname()[1], ready_timeout=180.0)
        server.start()
        try:
            yield f"127.0.0.1:{server.port}"
        finally:
            server.stop()


def test_a_mail_arrives_at_a_real_server(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    box = Mailbox()
    with mail_server(box) as where:
        monkeypatch.setenv("LUBAN_SMTP", f"smtp://{where}")
        monkeypatch.setenv("LUBAN_SMTP_FROM", "luban@example.org")
        alerts_add(workspace, "moved", "adult", "drift.share > 0.3", to="mailto:ops@example.org")
        assert alerts_test(workspace, "moved").to == "mailto:ops@example.org"
        look(workspace.alerts, "adult", {"drift.share": 0.5}, NOON)
    test, alarm = box.taken
    assert (alarm.mail_from, alarm.rcpt_tos) == ("luban@example.org", ["ops@example.org"])
    text = alarm.content.decode()
    assert "Alarm: moved on adult: drift.share > 0.3, now 0.5" in text
    assert "Test of the alert moved" in test.content.decode()


def test_a_password_is_not_sent_without_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    with mail_server(Mailbox()) as where:
        monkeypatch.setenv("LUBAN_SMTP", f"smtp://ada:hidden-word@{where}")
        with pytest.raises(Unavailable) as failure:
            mail.send("ops@example.org", NOTICE)
    assert "TLS" in str(failure.value)
    assert "hidden-word" not in str(failure.value)


def test_without_a_mail_server_the_error_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LUBAN_SMTP", raising=False)
    with pytest.raises(InputError, match="LUBAN_SMTP"):
        mail.send("ops@example.org", NOTICE)


# --- secrets ----------------------------------------------------------------------------------------


def test_nothing_secret_is_shown_or_kept_in_the_audit_chain(
    workspace: Workspace, allowed: None, caplog: pytest.LogCaptureFixture
) -> None:
    secret = "https://hooks.example.org/services/T000/very-secret"
    made = call(
        alerts_add, workspace, {"name": "moved", "on": "adult", "rule": "rows > 0", "to": secret, "secret": "HOOK_KEY"}
    )
    listed = alerts_list(workspace)
    removed = call(alerts_remove, workspace, {"name": "moved"})
    audit = [str(vars(entry)) for entry in workspace.audit.entries()]
    shown = f"{made}{listed}{removed}{audit}{caplog.text}"
    assert "https://hooks.example.org/…" in shown
    assert "very-secret" not in shown
    assert "key-of-the-hook" not in shown


def test_a_key_in_place_of_its_name_is_refused_and_not_shown(workspace: Workspace) -> None:
    with pytest.raises(InputError) as failure:
        alerts_add(workspace, "moved", "adult", "rows > 0", to="https://host.example/x", secret="the-key-itself!")
    assert "the-key-itself" not in str(failure.value)


def test_a_way_may_be_named_by_a_variable(workspace: Workspace, allowed: None, monkeypatch: pytest.MonkeyPatch) -> None:
    rule = alerts_add(workspace, "moved", "adult", "rows > 0", to="env:HOOK")
    assert rule.to == "env:HOOK"
    with pytest.raises(LubanError):
        alerts_test(workspace, "moved")
    with receiver() as hook:
        monkeypatch.setenv("HOOK", hook.url)
        alerts_test(workspace, "moved")
    assert len(hook.taken) == 1


@pytest.mark.parametrize(
    ("rule", "near"),
    [
        ("driftshare > 0.1", "drift.share"),
        ("requests.error_rate > 0.1", "requests.failed_share"),
        ("quality.metrics.rmse > 1", "quality.metrics.roc_auc"),
        ("columns.agee.psi > 0.1", "columns.age.psi"),
        ("columns.sex.ks > 0.1", "columns.sex.psi"),
        ("nonsense > 1", "verdict"),
        ("columns.*.mmd > 0.1", "columns.age.missing"),
    ],
)
def test_a_figure_that_no_window_has_is_refused_with_the_nearest(workspace: Workspace, rule: str, near: str) -> None:
    with pytest.raises(InputError, match="no window of this model has such a figure") as error:
        alerts_add(workspace, "moved", "adult", rule)
    assert near in str(error.value)
    assert alerts_list(workspace).alerts == ()


@pytest.mark.parametrize(
    "rule",
    [
        "*.psi > 0.1",
        "requests.failed_share > 0.01",
        "log.dropped > 0",
        "latency.p95 > 5",
        "outputs.probability_yes.ks > 1",
    ],
)
def test_a_figure_that_a_window_can_have_is_taken_before_there_is_one(workspace: Workspace, rule: str) -> None:
    assert alerts_add(workspace, "any", "adult", rule).rule == rule


def test_a_rule_on_what_is_not_deployed_is_refused_with_the_nearest_name(workspace: Workspace) -> None:
    with pytest.raises(NotFound, match="Did you mean: adult"):
        alerts_add(workspace, "moved", "adlut", "rows > 0")
    workspace.deployments.remove("adult")
    with pytest.raises(NotFound, match="luban deploy adult"):
        alerts_add(workspace, "moved", "adult", "rows > 0")
    assert alerts_add(workspace, "moved", "adult/1", "rows > 0").on == "adult/1"  # windows of files


def test_alerts_have_names_of_their_own(workspace: Workspace) -> None:
    alerts_add(workspace, "moved", "adult", "rows > 0")
    with pytest.raises(LubanError, match="there is an alert named 'moved'"):
        alerts_add(workspace, "moved", "adult", "rows > 1")
    for wrong in ("../x", "a/b", ""):
        with pytest.raises(InputError):
            alerts_add(workspace, wrong, "adult", "rows > 0")
    with pytest.raises(LubanError, match="no alert is named"):
        alerts_remove(workspace, "mooved")
    assert channel.shown("log") == "log"
