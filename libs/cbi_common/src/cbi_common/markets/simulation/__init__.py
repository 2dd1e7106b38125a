"""A simulated soybean-oil market, pure and seeded. What is true in it is known, and lies in `truth`.

Regimes that nobody sees, palm as a substitute, a crude link, a season, news, volatility that follows the regime.
"""

from cbi_common.markets.simulation.history import LAST_DAY, Setting
from cbi_common.markets.simulation.process import STATES
from cbi_common.markets.simulation.series import VERSION, Simulation, simulate

__all__ = ["LAST_DAY", "STATES", "VERSION", "Setting", "Simulation", "simulate"]
