"""Where things are: servers, sizes and names of one deployment, and where each value comes from.

Environment variables (`LIKEWAVE_KAFKA`, …) come first, then what a running local stack says of
itself in `.likewave/stack.json`, then the defaults below. A folder whose stack does not run has no
default servers.
"""

from __future__ import annotations

import dataclasses
import fcntl
import json
import os
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)
from pydantic_settings import SettingsError as Unreadable

from models.errors import SettingsError
from models.policy import Policy
from streams.policy_file import read_policies
from streams.values import advice, origins, redis_url, servers

PREFIX = "LIKEWAVE_"
DATA_DIR = Path(".likewave")
STACK_FILE = DATA_DIR / "stack.json"
LOCK_FILE = DATA_DIR / "lock"
SECRETS = ("api_secret", "kafka_password")
UNTOLD = ("POLICY", *map(str.upper, SECRETS))  # values that no message repeats


def _policy(numbers: Any) -> Any:
    """Build a policy from the numbers of an environment variable or a running stack."""
    if not isinstance(numbers, dict):
        return numbers
    known = {field.name for field in dataclasses.fields(Policy)}
    if unknown := sorted(set(numbers) - known):
        raise ValueError(f"{unknown[0]} is not a policy number: one of {', '.join(sorted(known))}")
    return Policy(**numbers)


class Security(StrEnum):
    """How Kafka is spoken to: with TLS or without, with a password or without."""

    PLAINTEXT = "plaintext"
    SSL = "ssl"
    SASL_PLAINTEXT = "sasl_plaintext"
    SASL_SSL = "sasl_ssl"

    @property
    def has_tls(self) -> bool:
        """Tell whether the connection is encrypted."""
        return self in (Security.SSL, Security.SASL_SSL)

    @property
    def has_user(self) -> bool:
        """Tell whether a user and a password are asked for."""
        return self in (Security.SASL_PLAINTEXT, Security.SASL_SSL)


class Mechanism(StrEnum):
    """How Kafka is told who we are."""

    PLAIN = "PLAIN"
    SCRAM_SHA_256 = "SCRAM-SHA-256"
    SCRAM_SHA_512 = "SCRAM-SHA-512"


class Settings(BaseSettings):
    """One deployment, frozen; `policy` is what all its scores are made with."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore")

    kafka: Annotated[str, AfterValidator(servers)] = Field(
        "127.0.0.1:9092", description="bootstrap servers, host:port[,host:port …]"
    )
    kafka_security: Security = Field(Security.PLAINTEXT, description="how Kafka is spoken to")
    kafka_mechanism: Mechanism = Field(
        Mechanism.SCRAM_SHA_512, description="how the user is told to Kafka, with sasl_*"
    )
    kafka_username: str | None = Field(None, description="user, with sasl_*")
    kafka_password: SecretStr | None = Field(None, description="password, with sasl_*")
    kafka_ca_file: Path | None = Field(
        None, description="PEM file of the authorities that Kafka's certificate may be of"
    )
    kafka_cert_file: Path | None = Field(
        None, description="PEM file of our own certificate, where Kafka asks for one"
    )
    kafka_key_file: Path | None = Field(None, description="PEM file of its key")
    redis: Annotated[str, AfterValidator(redis_url)] = Field(
        "redis://127.0.0.1:6379/0", description="URL of the Redis or Valkey that holds the feeds"
    )
    redis_ca_file: Path | None = Field(
        None, description="PEM file of the authorities that the store's certificate may be of"
    )
    redis_cert_file: Path | None = Field(
        None, description="PEM file of our own certificate, where the store asks for one"
    )
    redis_key_file: Path | None = Field(None, description="PEM file of its key")
    shards: int = Field(1, ge=1, le=4096, description="slices of the keyspace, {0} to {n-1}")
    partitions: int = Field(8, ge=1, le=4096, description="partitions of a new topic")
    replication: int = Field(1, ge=1, le=7, description="replicas of every topic")
    topic_prefix: str = Field("likewave.", pattern=r"^[A-Za-z0-9._-]{0,100}$")
    warm_days: int = Field(
        14, ge=1, le=3650, description="days after reading or acting that a feed is kept up to date"
    )
    fan_out_limit: int = Field(
        5_000,
        ge=1,
        le=1_000_000,
        description="fans in a shard above whose number acts are not pushed",
    )
    shed_lag: int = Field(
        200_000,
        ge=0,
        description="events waiting in a partition from which on views are sampled; 0 is never",
    )
    group: str = Field("likewave", pattern=r"^[A-Za-z0-9._-]{1,100}$", description="Faust app id")
    api_host: str = Field("127.0.0.1", description="address on which the API listens")
    api_port: int = Field(8080, ge=1, le=65_535, description="port on which the API listens")
    api_url: str = Field(
        default_factory=lambda known: f"http://{known['api_host']}:{known['api_port']}",
        pattern=r"^https?://[^\s/]+$",
        description="where front-ends reach the API; https:// makes its cookies secure",
    )
    api_keys: Path | None = Field(
        None, description="file of a JWK set: the public keys that tokens are verified with"
    )
    api_secret: SecretStr | None = Field(
        None, min_length=32, description="signs cursors; the same for all processes of the API"
    )
    api_issuer: str = Field("likewave", min_length=1, description="`iss` of every token")
    api_audience: str = Field("likewave", min_length=1, description="`aud` of every token")
    api_origins: Annotated[str, AfterValidator(origins)] = Field(
        "", description="other origins whose pages may call the API: https://host[,https://host …]"
    )
    monitor_host: str = Field("127.0.0.1", description="address on which the monitor listens")
    monitor_port: int = Field(9108, ge=1, le=65_535, description="port on which it listens")
    metrics_host: str = Field("127.0.0.1", description="address on which metrics are served")
    metrics_port: int | None = Field(
        None, ge=1, le=65_535, description="port on which a worker or the API serves its metrics"
    )
    policy_file: Path | None = Field(None, description="TOML file with the policy's numbers")
    policy: Annotated[Policy, BeforeValidator(_policy)] = Field(default_factory=Policy)

    @model_validator(mode="after")
    def _named(self) -> Self:
        """Refuse a Kafka that wants a user where none is named."""
        if self.kafka_security.has_user:
            for name in ("kafka_username", "kafka_password"):
                if not getattr(self, name):
                    wanted = f"{PREFIX}KAFKA_SECURITY={self.kafka_security}"
                    raise ValueError(f"{PREFIX}{name.upper()} is missing: {wanted} needs it")
        return self

    def topic(self, name: str) -> str:
        """Give the full name of a topic (`likes` -> `likewave.likes`)."""
        return self.topic_prefix + name

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[Any, ...]:
        """Order the sources: arguments, environment, running stack."""
        del dotenv_settings, file_secret_settings, settings_cls
        return init_settings, env_settings, running_stack


def running_stack() -> dict[str, Any]:
    """Read what the local stack of this folder says of itself; nothing where none runs."""
    if not stack_runs():
        return {}
    try:
        return dict(json.loads(STACK_FILE.read_bytes())["settings"])
    except FileNotFoundError:  # it has just begun to start
        return {}
    except PermissionError as error:
        raise SettingsError(
            f"{STACK_FILE} is another user's: work as whoever started it"
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise SettingsError(f"{STACK_FILE} is damaged: stop the stack and delete it") from error


def stack_runs() -> bool:
    """Tell whether a stack holds this folder: the system frees the lock, however the stack ends."""
    try:
        with LOCK_FILE.open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def tell_stack(settings: Settings) -> None:
    """Let the stack of this folder, where the store is its own, go on with these numbers."""
    try:
        stack = json.loads(STACK_FILE.read_bytes())
    except FileNotFoundError:
        return
    if stack["settings"].get("redis") != settings.redis:
        return  # it is another store's
    stack["settings"] |= settings.model_dump(mode="json", include={"shards", "policy"})
    draft = STACK_FILE.with_suffix(".draft")
    draft.touch(mode=0o600)
    draft.write_text(json.dumps(stack, indent=2))
    draft.replace(STACK_FILE)


def load(**overrides: Any) -> Settings:
    """Build the settings of this process, and see that they lead to servers meant for it.

    Raises SettingsError as `resolve`, and where the stack of this folder does not run.
    """
    settings = resolve(**overrides)
    if complaint := stranded(settings):
        raise SettingsError(complaint)
    return settings


def stranded(settings: Settings) -> str:
    """Complain where a server is the default's, though the folder has a stack of its own.

    What listens on the default ports is somebody else's then.
    """
    missing = [name for name in ("kafka", "redis") if name not in settings.model_fields_set]
    if not missing or running_stack() or not DATA_DIR.is_dir():
        return ""
    named = " and ".join(PREFIX + name.upper() for name in missing)
    return (
        f"the stack of this folder ({DATA_DIR}/) is not running: start it with `likewave up`, "
        f"or set {named}"
    )


def how_to_reach(name: str) -> str:
    """Say what to do where no server is at the place of a setting, `kafka` or `redis`."""
    variable = PREFIX + name.upper()
    if name in EnvSettingsSource(Settings)():
        return f"start it, or mend {variable} (without it `likewave up` starts one of its own)"
    if running_stack():
        return f"the stack of this folder starts it again; if not, its logs in {DATA_DIR}/ say why"
    return f"start it with `likewave up`, or set {variable}"


def strangers() -> dict[str, str]:
    """Name the variables that look like settings and are none, each with what to do about it."""
    names = [name.upper() for name in Settings.model_fields]
    given = {one: one.upper() for one in sorted(os.environ) if one.upper().startswith(PREFIX)}
    found = {one: name.removeprefix(PREFIX) for one, name in given.items()}
    return {one: _meant(name, names) for one, name in found.items() if name not in names}


def _meant(name: str, names: list[str]) -> str:
    if near := get_close_matches(name, names, n=1):
        return f"did you mean {PREFIX}{near[0]}?"
    return "`likewave config` lists them"


def resolve(**overrides: Any) -> Settings:
    """Build the settings for who asks no server; raise SettingsError naming what to mend."""
    settings = read(**overrides)
    path = settings.policy_file
    if path is None or str(path.absolute()) == running_stack().get("policy_file"):
        return settings  # with the numbers that the stack's feeds are made with
    return settings.model_copy(update={"policy": read_policies(path).feeds})


def read(**overrides: Any) -> Settings:
    """Build the settings without a look into the policy file; raise SettingsError as `resolve`."""
    try:
        return Settings(**{key: value for key, value in overrides.items() if value is not None})
    except ValidationError as error:
        first = error.errors()[0]
        name = "_".join(str(part) for part in first["loc"]).upper()
        if not name:  # several settings together
            raise SettingsError(first["msg"].removeprefix("Value error, ")) from error
        remedy = advice(first, Settings.model_fields[str(first["loc"][0])])
        given = "" if name in UNTOLD else f" (got {first['input']!r})"
        raise SettingsError(f"{PREFIX}{name}: {remedy}{given}") from error
    except Unreadable as error:
        raise SettingsError(
            f"{PREFIX}POLICY is not a JSON object of numbers; a TOML file named by "
            f"{PREFIX}POLICY_FILE is easier to write"
        ) from error
