"""The library's own commands; each module imports click only, and the rest when it is called."""
