"""Settings of a process, read from the environment once."""

from __future__ import annotations

import difflib
import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlparse

from pydantic import Field, SecretStr, StringConstraints, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from cbi_common.core.errors import UsageError
from cbi_common.storage.bigquery_url import RESULTS_DATASET, is_bigquery, with_dataset, with_parameters

_PREFIX = "CBI_"
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_SHORTEST_TOKEN = 16

MailAddress = Annotated[str, StringConstraints(pattern=r"^[!-;=?-~]+@[A-Za-z0-9.-]+$", max_length=254)]
_BIGQUERY = {
    "endpoint": "bigquery_endpoint",
    "storage": "bigquery_storage_endpoint",
    "read": "bigquery_read",
    "timeout_s": "bigquery_timeout_s",
}
"""Parameter of a BigQuery URL to the setting that it comes from."""
SECRETS = ("nats_password", "smtp_password", "dashboard_token")
"""Settings that are secret; each may lie in a file instead, ``<NAME>_FILE``."""
_URLS = ("nats_url", "tracking", "serving_url", "lake", "results", "warehouse", "bigquery_endpoint")
_USERINFO = re.compile(r"://[^/?#@,]*:[^/?#@,]*@")
_LOGINS = {
    "nats_url": "give CBI_NATS_USER, and CBI_NATS_PASSWORD or CBI_NATS_PASSWORD_FILE",
    "tracking": "give MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or a database's own password file",
}
"""A password in a URL is seen in process lists, events and logs; where it belongs instead."""


def _variable(name: str) -> str:
    return _PREFIX + name.upper()


class Settings(BaseSettings):
    """Frozen settings; a field is the environment variable ``CBI_<FIELD>``, an unknown ``CBI_`` variable is refused.

    Use `load` where a person reads the errors.
    """

    model_config = SettingsConfigDict(env_prefix=_PREFIX, frozen=True, extra="forbid", env_ignore_empty=True)

    warehouse: str = "simulated"
    """``simulated``, ``arch``, a folder of Parquet tables, or ``bigquery://PROJECT``."""
    tables: str | None = None
    """A folder of Parquet tables, which stands for ``warehouse`` where that is not given."""
    lake: str = "var/lake"
    """A folder or any fsspec URL."""
    market: str = "zl"
    """Id of a market; the path of a market file stands for its id, and its folder for ``markets``."""
    markets: str | None = None
    """Folder of your own market files, each called ``ID.toml``."""
    finbert: str | None = None
    """Folder of a FinBERT model, or its name in the Hugging Face cache; without one the news are not read."""
    nats_url: str | None = None
    """Bus to connect to, or several servers of one cluster separated by commas; None starts one inside the process."""
    nats_user: str | None = None
    nats_password: SecretStr | None = None
    nats_password_file: str | None = None
    """File that holds it, such as a mounted secret."""
    nats_tls_ca: str | None = None
    """File of the authorities that sign the bus's certificate: with it, a bus without TLS is refused."""
    nats_tls_cert: str | None = None
    """File of this process's own certificate, for a bus that asks for one."""
    nats_tls_key: str | None = None
    """File of its key."""
    bus_replicas: int = Field(default=1, ge=1, le=5)
    """Servers of the bus that keep every message: 3 in a cluster of three. It is raised here and never lowered."""
    cores: int | None = Field(default=None, ge=1)
    """Child processes that work at a time; None takes what the machine gives this process."""
    ack_wait_s: float = Field(default=15, gt=0)
    """How long the bus waits for a sign of life before it delivers a message again."""
    job_cpu_limit_s: float = Field(default=900, gt=0)
    forecast_quorum: float = Field(default=0.8, gt=0, le=1)
    """Share of the members with which a provisional forecast is issued once ``quorum_wait_s`` have passed."""
    quorum_wait_s: float = Field(default=1800, ge=0)
    """How long after an export the final forecast alone is waited for."""
    forecast_deadline_s: float = Field(default=7200, ge=0)
    """How long after an export a provisional forecast is issued with whatever has arrived."""
    superseded_after_s: float = Field(default=21600, gt=0)
    """How long a training job must have waited to be dropped for one of a later export (the Mac was asleep)."""
    schedules: bool = False
    """Whether this process asks for data by the clock; `cbi up` does."""
    schedule_daily: str = "30 18 * * mon-fri"
    """When profile standard is asked for: a cron expression in the exchange's time (weekdays by name), or ``off``."""
    schedule_weekly: str = "0 9 * * sun"
    """When profile full is asked for."""
    schedule_first: Literal["off", "smoke", "quick", "standard", "full"] = "off"
    """Profile that is asked for at once when a bus sees its first schedules, so that a new stack has a forecast."""
    schedule_mail: str = "0 7 * * *"
    """When the daily mail is sent."""
    smtp_host: str | None = None
    """Mail server; None sends no mail."""
    smtp_port: int | None = Field(default=None, ge=1, le=65535)
    """None takes the usual one of ``smtp_security``: 587, 465 or 25."""
    smtp_security: Literal["starttls", "tls", "none"] = "starttls"
    smtp_ca: str | None = None
    """File of the authorities that sign the mail server's certificate; None trusts those of the system."""
    smtp_user: str | None = None
    smtp_password: SecretStr | None = None
    smtp_password_file: str | None = None
    """File that holds it, such as a mounted secret."""
    smtp_from: MailAddress | None = None
    smtp_to: Annotated[tuple[MailAddress, ...], NoDecode] = ()
    """Addresses separated by commas."""
    mail_wait_s: float = Field(default=60, ge=0, le=3600)
    """How long an alert waits for others that go in the same mail."""
    vertex_project: str | None = None
    """Google Cloud project that `cbi promote --target vertex` serves from."""
    vertex_location: str = "us-central1"
    vertex_bucket: str | None = None
    """Bucket for packages."""
    vertex_image: str | None = None
    """Container image that runs `cbi serve`."""
    vertex_machine: str = "n1-standard-2"
    policy: str = "plan"
    """Gates that decide whether a forecast may become a challenger (``plan`` or ``relative``)."""
    retraining: bool = True
    """Whether a drift that asks for a retrain gets one; `cbi run` is one pass and never does."""
    checkpoints: str | None = None
    """Folder where a net's fit that is killed leaves how far it was; None: beside the lake (`checkpoints_dir`)."""
    ops_port: int | None = Field(default=None, ge=0, le=65535)
    """Port of /metrics and /health; None serves none."""
    ops_host: str = "127.0.0.1"
    """Address of that port; inside a container 0.0.0.0, where only the network of the stack reaches it."""
    dashboard_port: int | None = Field(default=None, ge=0, le=65535)
    dashboard_host: str = "127.0.0.1"
    dashboard_token: SecretStr | None = None
    """What one logs in with; any address but the loopback's needs it, or ``dashboard_user_header``."""
    dashboard_token_file: str | None = None
    """File that holds it, such as a mounted secret."""
    dashboard_user_header: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]{1,64}$")] | None = None
    """Header in which a proxy that logs people in (OIDC) gives the name; believed from ``dashboard_proxies`` only."""
    dashboard_proxies: Annotated[tuple[str, ...], NoDecode] = ("127.0.0.1", "::1")
    """Addresses of that proxy, separated by commas."""
    dashboard_gateway: bool = False
    """In a container whose port is published on the host's loopback alone: who comes through the gateway, which is the
    host, needs no login; nobody else comes in."""
    serving_url: Annotated[str, StringConstraints(pattern=r"^https?://[^/]+$")] | None = None
    """Where `cbi serve --newest` answers the page's questions of what-if; None: `cbi up` starts one."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["json", "console"] = "console"
    results: str | None = None
    """Where results are kept: a folder, any fsspec URL, or ``bigquery://PROJECT[/DATASET]``; None: `results_url`."""
    bigquery_endpoint: str | None = None
    """REST address of a BigQuery emulator, ``http://HOST:PORT``; Google's own needs none."""
    bigquery_storage_endpoint: str | None = None
    """Its address for the Storage Read API, ``HOST:PORT``."""
    bigquery_read: Literal["storage", "rest"] | None = None
    """``rest`` reads BigQuery slowly, page by page, where the Storage Read API is not permitted."""
    bigquery_timeout_s: float | None = Field(default=None, ge=1, le=3600)
    """How long a call to BigQuery may take before it has failed; None: 60."""
    tracking: str | None = None
    """MLflow tracking URI; None keeps a SQLite file beside the lake, ``off`` tracks nothing."""

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown_variables(cls, values: Any) -> Any:
        known = {_PREFIX + name.upper() for name in cls.model_fields}
        for name in sorted(os.environ):
            if name.upper().startswith(_PREFIX) and name.upper() not in known:
                close = difflib.get_close_matches(name.upper(), sorted(known), n=1)
                hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(sorted(known))}"
                raise UsageError("no such setting", where=f"environment variable {name}", hint=hint)
        return values

    @model_validator(mode="before")
    @classmethod
    def _market_may_be_a_file(cls, values: Any) -> Any:
        market = values.get("market")
        if not isinstance(market, str) or not market.endswith(".toml"):
            return values
        file = Path(market)
        if not file.is_file():
            raise UsageError("no such file", where=f"market {market}", hint="give the path of a market file, or an id")
        return {**values, "market": file.stem, "markets": str(file.absolute().parent)}

    @model_validator(mode="before")
    @classmethod
    def _tables_are_a_warehouse(cls, values: Any) -> Any:
        tables = values.get("tables")
        if tables is None or tables == values.get("warehouse"):
            return values
        if values.get("warehouse") is not None:
            hint = "give one of the two"
            raise UsageError("there is CBI_WAREHOUSE, too", where=f"setting CBI_TABLES, {tables}", hint=hint)
        return {**values, "warehouse": tables}

    @model_validator(mode="before")
    @classmethod
    def _bigquery_urls_carry_their_settings(cls, values: Any) -> Any:
        # A job in a child process is given the URL and reads no settings.
        carried = {name: values.get(field) for name, field in _BIGQUERY.items()}
        urls = {name: url for name in ("warehouse", "results") if is_bigquery(url := values.get(name))}
        return {**values, **{name: with_parameters(url, **carried) for name, url in urls.items()}}

    @field_validator("smtp_to", "dashboard_proxies", mode="before")
    @classmethod
    def _addresses_stand_between_commas(cls, value: Any) -> Any:
        return tuple(filter(None, map(str.strip, value.split(",")))) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _mail_is_set_up_whole(self) -> Settings:
        needed = {"smtp_host": self.smtp_host, "smtp_from": self.smtp_from, "smtp_to": self.smtp_to}
        lacking = [_PREFIX + name.upper() for name, value in needed.items() if not value]
        if 0 < len(lacking) < len(needed):
            raise UsageError("not enough to send mail", where=f"setting {lacking[0]}", hint="give it, or none of these")
        given = self.smtp_password is not None or self.smtp_password_file is not None
        if (self.smtp_user is not None) != given:
            raise UsageError(
                "a login is a name and a password", where="setting CBI_SMTP_USER", hint="give both or none"
            )
        if given and self.smtp_security == "none" and self.smtp_host not in _LOOPBACK:
            raise UsageError(
                "it would send the password in the clear", where="setting CBI_SMTP_SECURITY", hint="use starttls or tls"
            )
        return self

    @model_validator(mode="after")
    def _nobody_comes_in_without_a_login(self) -> Settings:
        if self.dashboard_token is not None and len(self.dashboard_token.get_secret_value()) < _SHORTEST_TOKEN:
            hint = f"at least {_SHORTEST_TOKEN} characters, such as from `openssl rand -hex 24`"
            raise UsageError("too short to be safe", where="setting CBI_DASHBOARD_TOKEN", hint=hint)
        named = self.dashboard_token or self.dashboard_token_file or self.dashboard_user_header
        if self.dashboard_host not in _LOOPBACK and not (named or self.dashboard_gateway):
            what = f"{self.dashboard_host} can be reached from elsewhere, which needs a login"
            hint = "set CBI_DASHBOARD_TOKEN, CBI_DASHBOARD_TOKEN_FILE or CBI_DASHBOARD_USER_HEADER"
            raise UsageError(what, where="setting CBI_DASHBOARD_HOST", hint=hint)
        return self

    @model_validator(mode="after")
    def _a_secret_has_one_place(self) -> Settings:
        for name in SECRETS:
            if getattr(self, name) is not None and getattr(self, f"{name}_file") is not None:
                hint = f"give it or {_variable(name)}_FILE, not both"
                raise UsageError("two places of one secret", where=f"setting {_variable(name)}", hint=hint)
        for name in _URLS:
            if _USERINFO.search(str(getattr(self, name) or "")):
                hint = _LOGINS.get(name, "let the machine's own credentials stand for it")
                raise UsageError("a URL with a password in it", where=f"setting {_variable(name)}", hint=hint)
        return self

    @model_validator(mode="after")
    def _a_certificate_has_a_key(self) -> Settings:
        if (self.nats_tls_cert is None) != (self.nats_tls_key is None):
            where, hint = "setting CBI_NATS_TLS_CERT", "give CBI_NATS_TLS_CERT and CBI_NATS_TLS_KEY, or neither"
            raise UsageError("a certificate is of use with its key only", where=where, hint=hint)
        if self.nats_tls_cert is not None and self.nats_tls_ca is None:
            hint = "name the authorities of the bus's own certificate"
            raise UsageError("whom it would trust is not said", where="setting CBI_NATS_TLS_CA", hint=hint)
        return self

    @property
    def nats_login(self) -> str | None:
        """The password of the bus, from wherever it was given; None: there is none.

        Raises
        ------
        UsageError
            When its file cannot be read or is empty.
        """
        return self._secret("nats_password")

    @property
    def smtp_login(self) -> str | None:
        """The password of the mail server, as `nats_login`."""
        return self._secret("smtp_password")

    @property
    def dashboard_login(self) -> str | None:
        """The dashboard's token, as `nats_login`; one that is too short is an error, too."""
        token = self._secret("dashboard_token")
        if token is not None and len(token) < _SHORTEST_TOKEN:
            where = f"setting CBI_DASHBOARD_TOKEN_FILE, {self.dashboard_token_file}"
            raise UsageError("too short to be safe", where=where, hint=f"at least {_SHORTEST_TOKEN} characters")
        return token

    @property
    def secrets(self) -> tuple[str, ...]:
        """Every secret of these settings, wherever it lies: what must not be read in a log."""
        return tuple(found for name in SECRETS if (found := self._secret(name)))

    def _secret(self, name: str) -> str | None:
        given: SecretStr | None = getattr(self, name)
        if given is not None:
            return given.get_secret_value()
        file: str | None = getattr(self, f"{name}_file")
        if file is None:
            return None
        where, hint = f"setting {_variable(name)}_FILE, {file}", f"give a file with the {name.rpartition('_')[2]}"
        try:
            found = Path(file).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise UsageError(f"cannot be read: {error.strerror or error}", where=where, hint=hint) from error
        except UnicodeDecodeError:  # its message would quote the secret
            raise UsageError("cannot be read: it is no text", where=where, hint=hint) from None
        if not found:
            raise UsageError("is empty", where=where, hint=hint)
        return found

    @classmethod
    def load(cls, **overrides: Any) -> Settings:
        """Read the environment; arguments that are not None go before it.

        Raises
        ------
        UsageError
            For an unknown variable or a value that does not fit.
        """
        try:
            return cls(**{name: value for name, value in overrides.items() if value is not None})
        except ValidationError as error:
            first = error.errors(include_input=False)[0]
            name = ".".join(str(part) for part in first["loc"])
            raise UsageError(
                first["msg"], where=f"setting {name}", hint=f"correct it or unset {_PREFIX}{name.upper()}"
            ) from None

    @property
    def worker_slots(self) -> int:
        """Child processes that may work at a time."""
        if self.cores is not None:
            return self.cores
        if hasattr(os, "sched_getaffinity"):
            return len(os.sched_getaffinity(0))
        return os.cpu_count() or 1

    @property
    def stack_dir(self) -> Path:
        """Folder of what belongs to the running stack and not to the lake: bus store, lock, tracking database."""
        parsed = urlparse(self.lake)
        if parsed.scheme in ("", "file"):
            return Path(parsed.path) / ".stack"
        return Path("var/stack")

    @property
    def checkpoints_dir(self) -> Path:
        """Folder of the checkpoints of fits."""
        return Path(self.checkpoints) if self.checkpoints else self.stack_dir / "checkpoints"

    @property
    def results_url(self) -> str:
        """Where results are kept: in BigQuery when the tables are there, else in the lake's folder ``results``."""
        if self.results is not None:
            return with_dataset(self.results, RESULTS_DATASET) if is_bigquery(self.results) else self.results
        if is_bigquery(self.warehouse):
            return with_dataset(self.warehouse, RESULTS_DATASET)
        return f"{self.lake.rstrip('/')}/results"

    @property
    def tracking_uri(self) -> str | None:
        """MLflow tracking URI, None when nothing is tracked."""
        if self.tracking == "off":
            return None
        return self.tracking or f"sqlite:///{(self.stack_dir / 'mlflow.db').absolute()}"

    def with_bus(self, url: str, user: str, password: str) -> Settings:
        """Return these settings, connected to a bus."""
        bus = {"nats_url": url, "nats_user": user, "nats_password": SecretStr(password), "nats_password_file": None}
        return self.model_copy(update=bus)
