"""Every event of the system: frozen facts in the past tense, and the only place where subject strings exist."""

from cbi_common.events import data, explanation, forecast, monitoring, promotion, regime, training

__all__ = ["data", "explanation", "forecast", "monitoring", "promotion", "regime", "training"]
