from hypothesis import settings

# A deadline measures the machine, not the code.
settings.register_profile("timeseries", deadline=None, max_examples=30)
settings.load_profile("timeseries")
