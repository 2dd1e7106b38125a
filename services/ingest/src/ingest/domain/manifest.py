"""The run manifest: windows, refits and members."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cbi_common.catalogue.spec import Catalogue, ModelSpec, ProfileSpec
from cbi_common.core.horizon import Horizon
from cbi_common.events.manifest import GRID, Member, Profile, Refit, ScoredWindow
from cbi_common.timeseries.calendar import session_date
from cbi_common.timeseries.folds import refit_grid, window

Windows = dict[Horizon, ScoredWindow]


@dataclass(frozen=True)
class Span:
    """First and last session of a dataset."""

    first: int
    last: int


@dataclass(frozen=True)
class Plan:
    """What a run trains and scores; without windows the history is too short for any horizon."""

    windows: Windows
    refits: tuple[Refit, ...]
    members: tuple[Member, ...]


def plan_run(
    catalogue: Catalogue,
    profile: Profile,
    *,
    spans: Mapping[str, Span],
    eras: Mapping[str, Span],
    as_of_session: int,
    retrain_cause: str | None = None,
    inherited: Iterable[Refit] = (),
) -> Plan:
    """Lay out a run.

    Parameters
    ----------
    catalogue : Catalogue
    profile : Profile
    spans : dataset to the sessions it covers
        A model whose dataset is not among them, or does not reach as_of, is not expected; nor is one at a horizon for
        which its dataset is too short to serve a scored cutoff. A short dataset's model starts when its own training
        rows suffice.
    eras : era to its sessions
        A model of eras that are not all among them is not expected.
    as_of_session : int
        Last session of ``full``.
    retrain_cause : str or None
        Id of the event that asks for a refit of every model at as_of.
    inherited : Refits of earlier runs off the grid
        Those after as_of are left out, and models that the profile does not train.
    """
    spec = catalogue.profiles[profile]
    windows = _windows(spec, spans["full"].first, as_of_session)
    layout = _Layout(profile, spec, spans, eras, windows, as_of_session)
    served = {model.id: layout.horizons(model) for model in catalogue.of_profile(profile)}
    models = [model for model in catalogue.of_profile(profile) if served[model.id]]
    on_grid: dict[int, list[str]] = {}
    for model in models:
        for session in layout.grid(model, served[model.id], as_of_session):
            on_grid.setdefault(session, []).append(model.id)
    ids = tuple(model.id for model in models)
    refits = {(session, GRID): _refit(session, tuple(on_grid[session]), GRID) for session in sorted(on_grid)}
    for refit in inherited:
        kept = tuple(model for model in refit.model_ids if model in ids)
        if kept and refit.session <= as_of_session:
            refits[refit.session, refit.cause] = _refit(refit.session, kept, refit.cause)
    if retrain_cause is not None and ids:
        refits[as_of_session, retrain_cause] = _refit(as_of_session, ids, retrain_cause)
    members = tuple(Member(model_id=model.id, horizon=h) for model in models for h in served[model.id])
    return Plan(windows, tuple(refits[key] for key in sorted(refits)), members)


@dataclass(frozen=True)
class _Layout:
    profile: Profile
    spec: ProfileSpec
    spans: Mapping[str, Span]
    eras: Mapping[str, Span]
    windows: Windows
    as_of_session: int

    def horizons(self, model: ModelSpec) -> tuple[Horizon, ...]:
        """Horizons at which a refit of the model serves a scored cutoff; none when it has no row at as_of."""
        span = self.spans.get(model.dataset)
        if span is None or span.last < self.as_of_session or not self.eras.keys() >= set(model.eras):
            return ()
        return tuple(h for h in model.horizons if h in self.windows and self.grid(model, (h,), self.windows[h].end))

    def grid(self, model: ModelSpec, horizons: tuple[Horizon, ...], last: int) -> list[int]:
        """Refits up to ``last`` that serve the horizons and have the training rows for all of them."""
        windows = [self.windows[horizon] for horizon in horizons]
        first_cutoff = min(
            w.early_start if model.long and w.early_start is not None else w.burn_in_start for w in windows
        )
        # Only labels that have matured by a refit can be learned from.
        begin = max(self.spans[model.dataset].first, min((self.eras[era].first for era in model.eras), default=0))
        earliest = begin + self.spec.min_train_sessions + max(h.sessions for h in horizons)
        grid = refit_grid(first_cutoff, last, self.spec.refit_sessions, model.refit_every[self.profile])
        return [session for session in grid if session >= earliest]


def _windows(spec: ProfileSpec, first_session: int, as_of_session: int) -> Windows:
    found = {
        horizon: window(
            as_of_session=as_of_session,
            horizon_sessions=horizon.sessions,
            first_session=first_session,
            cutoff_every=spec.cutoff_sessions,
            refit_sessions=spec.refit_sessions,
            scored_periods=spec.scored_periods,
            burn_in_periods=spec.burn_in_periods,
            min_train=spec.min_train_sessions + horizon.sessions,
        )
        for horizon in Horizon
    }
    return {
        horizon: ScoredWindow(early_start=w.early_start, burn_in_start=w.burn_in_start, start=w.start, end=w.end)
        for horizon, w in found.items()
        if w is not None
    }


def _refit(session: int, model_ids: tuple[str, ...], cause: str) -> Refit:
    return Refit(date=session_date(session), session=session, model_ids=model_ids, cause=cause)
