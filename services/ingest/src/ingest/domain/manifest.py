"""The run manifest: windows, refits, members and what each refit must do without."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from cbi_common.catalogue.spec import Catalogue, ModelSpec, ProfileSpec
from cbi_common.core.horizon import Horizon
from cbi_common.events.manifest import Member, Profile, Refit, ScoredWindow
from cbi_common.timeseries.calendar import session_date
from cbi_common.timeseries.folds import refit_grid, window

Dropped = Callable[[int], Iterable[str]]


@dataclass(frozen=True)
class Plan:
    """What a run trains and scores; without windows the history is too short for any horizon."""

    windows: dict[Horizon, ScoredWindow]
    refits: tuple[Refit, ...]
    members: tuple[Member, ...]


def plan_run(
    catalogue: Catalogue,
    profile: Profile,
    *,
    first_session: int,
    as_of_session: int,
    dropped: Dropped,
    retrain_cause: str | None = None,
    inherited: Iterable[Refit] = (),
) -> Plan:
    """Lay out a run.

    Parameters
    ----------
    catalogue : Catalogue
    profile : Profile
    first_session, as_of_session : int
        First and last session of the data.
    dropped : callable
        Refit session to the features that a model fitted then must do without.
    retrain_cause : str or None
        Id of the event that asks for a refit of every model at as_of.
    inherited : Refits of earlier runs off the grid
        Those after as_of are left out, and models that the profile does not train.
    """
    spec = catalogue.profiles[profile]
    windows = _windows(spec, first_session, as_of_session)
    models = [model for model in catalogue.of_profile(profile) if any(h in windows for h in model.horizons)]
    on_grid: dict[int, list[str]] = {}
    for model in models:
        for session in _grid(model, spec, profile, windows, first_session, as_of_session):
            on_grid.setdefault(session, []).append(model.id)
    ids = tuple(model.id for model in models)
    refits = {
        (session, "grid"): _refit(session, tuple(on_grid[session]), "grid", dropped) for session in sorted(on_grid)
    }
    for refit in inherited:
        kept = tuple(model for model in refit.model_ids if model in ids)
        if kept and refit.session <= as_of_session:
            refits[refit.session, refit.cause] = _refit(refit.session, kept, refit.cause, dropped)
    if retrain_cause is not None and ids:
        refits[as_of_session, retrain_cause] = _refit(as_of_session, ids, retrain_cause, dropped)
    members = tuple(Member(model_id=m.id, horizon=h) for m in models for h in m.horizons if h in windows)
    return Plan(windows, tuple(refits[key] for key in sorted(refits)), members)


def _windows(spec: ProfileSpec, first_session: int, as_of_session: int) -> dict[Horizon, ScoredWindow]:
    found = {
        horizon: window(
            as_of_session=as_of_session,
            horizon_sessions=horizon.sessions,
            first_session=first_session,
            cutoff_every=spec.cutoff_sessions,
            refit_sessions=spec.refit_sessions,
            scored_periods=spec.scored_periods,
            burn_in_periods=spec.burn_in_periods,
            # Only labels that have matured by a refit can be learned from.
            min_train=spec.min_train_sessions + horizon.sessions,
        )
        for horizon in Horizon
    }
    return {
        horizon: ScoredWindow(burn_in_start=w.burn_in_start, start=w.start, end=w.end)
        for horizon, w in found.items()
        if w is not None
    }


def _grid(
    model: ModelSpec,
    spec: ProfileSpec,
    profile: Profile,
    windows: dict[Horizon, ScoredWindow],
    first_session: int,
    as_of_session: int,
) -> list[int]:
    horizons = [horizon for horizon in model.horizons if horizon in windows]
    first_cutoff = min(windows[horizon].burn_in_start for horizon in horizons)
    earliest = first_session + spec.min_train_sessions + max(horizon.sessions for horizon in horizons)
    grid = refit_grid(first_cutoff, as_of_session, spec.refit_sessions, model.refit_every[profile])
    return [session for session in grid if session >= earliest]


def _refit(session: int, model_ids: tuple[str, ...], cause: str, dropped: Dropped) -> Refit:
    return Refit(
        date=session_date(session),
        session=session,
        model_ids=model_ids,
        cause=cause,
        dropped_columns=tuple(dropped(session)),
    )
