"""A setting that cannot be used, or that is none, is named with what to do."""

from __future__ import annotations

import os

import pytest
from typer.testing import CliRunner

from models.errors import SettingsError
from models.finding import State
from streams import doctor
from streams.cli import app
from streams.settings import PREFIX, read, strangers


@pytest.fixture(autouse=True)
def told_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no setting of this machine have a say."""
    for name in filter(lambda name: name.startswith(PREFIX), list(os.environ)):
        monkeypatch.delenv(name)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("SHARDS", "x", "give a whole number from 1 to 4096 (got 'x')"),
        ("SHARDS", "4097", "give a whole number from 1 to 4096 (got '4097')"),
        ("METRICS_PORT", "0", "give a whole number from 1 to 65535 (got '0')"),
        ("SHED_LAG", "-1", "give a whole number, 0 or more (got '-1')"),
        ("KAFKA_SECURITY", "tls", "give plaintext, ssl, sasl_plaintext or sasl_ssl (got 'tls')"),
        ("API_ISSUER", "", "give at least 1 character (got '')"),
        ("API_SECRET", "short", "give at least 32 characters"),
        ("GROUP", "a b", "give one that matches ^[A-Za-z0-9._-]{1,100}$ (got 'a b')"),
        ("POLICY", "[]", "give a JSON object of numbers"),
        ("POLICY", '{"feed_size": 1000}', "feed_size is 1000: at most 127"),
        ("KAFKA", "kafka", "give host:port[,host:port …] (got 'kafka')"),
    ],
)
def test_a_value_that_cannot_be_used_is_answered_with_what_to_give(
    name: str, value: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The variable, the remedy, and what was given, but for what must not be repeated."""
    monkeypatch.setenv(PREFIX + name, value)
    with pytest.raises(SettingsError) as caught:
        read()

    assert str(caught.value) == f"{PREFIX}{name}: {words}"


def test_a_variable_that_is_no_setting_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the one that it may be meant to be; a setting in small letters is one."""
    monkeypatch.setenv("LIKEWAVE_SHED_LGA", "5")
    monkeypatch.setenv("LIKEWAVE_COLOUR", "blue")
    monkeypatch.setenv("likewave_shards", "1")
    shown = CliRunner().invoke(app, ["config"])

    assert strangers() == {
        "LIKEWAVE_COLOUR": "`likewave config` lists them",
        "LIKEWAVE_SHED_LGA": "did you mean LIKEWAVE_SHED_LAG?",
    }
    assert shown.exit_code == 0
    assert "LIKEWAVE_SHED_LGA is no setting: did you mean LIKEWAVE_SHED_LAG?\n" in shown.stderr


async def test_the_doctor_warns_of_a_variable_that_is_no_setting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is a warning alone, whatever else is wrong."""
    for name, value in {"KAFKA": "127.0.0.1:9", "REDIS": "redis://127.0.0.1:9/0"}.items():
        monkeypatch.setenv(PREFIX + name, value)
    before = [one for one in (await doctor.diagnose()).findings if one.check == "settings"]
    monkeypatch.setenv("LIKEWAVE_SHED_LGA", "5")
    after = [one for one in (await doctor.diagnose()).findings if one.check == "settings"]

    assert [one.state for one in before] == [State.OK]
    assert [(one.state, one.found) for one in after] == [
        (State.WARN, "LIKEWAVE_SHED_LGA is no setting")
    ]
    assert after[0].remedy == "did you mean LIKEWAVE_SHED_LAG?"
