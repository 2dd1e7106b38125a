"""Pure time-series core: arrays in, arrays out; no I/O, clock, environment or hidden randomness."""
