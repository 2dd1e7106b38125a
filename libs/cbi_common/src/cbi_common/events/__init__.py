"""Every event of the system: frozen facts in the past tense, and the only place where subject strings exist."""

from cbi_common.events import action, data, decision, explanation, forecast, monitoring, promotion, regime, training

__all__ = ["action", "data", "decision", "explanation", "forecast", "monitoring", "promotion", "regime", "training"]
