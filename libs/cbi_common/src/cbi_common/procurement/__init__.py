"""Buying by forecasts, simulated: what it costs, beside what buying without them costs. Pure."""
