import numpy as np

from cbi_common.timeseries.regimes import CLASSES, UNKNOWN
from regime.adapters import lightgbm_multiclass
from regime.domain.classifier import FEATURES, LEAST_LABELS, REFIT_EVERY, features, folds


def market(n=900, seed=3):
    rng = np.random.default_rng(seed)
    sessions = np.arange(50, 50 + n, dtype=np.int64)
    return sessions, 50 * np.exp(np.cumsum(rng.normal(0, 0.015, n))), rng.uniform(12, 40, n)


def test_features_do_not_see_the_future():
    sessions, price, vix = market()
    whole = features(sessions, price, vix)
    assert whole.shape == (900, len(FEATURES))
    for cut in (70, 400, 899):
        np.testing.assert_array_equal(features(sessions[:cut], price[:cut], vix[:cut]), whole[:cut])


def test_folds_train_on_what_was_known_and_serve_every_session_once():
    sessions, price, _ = market()
    labels = np.where(np.arange(len(price)) < 30, UNKNOWN, 0)
    found = folds(sessions, labels, first_session=500)
    served = np.concatenate([sessions[f.start : f.end] for f in found])
    assert served.tolist() == list(range(4 * REFIT_EVERY - REFIT_EVERY, 950))
    for fold in found:
        assert fold.refit_session % REFIT_EVERY == 0
        assert sessions[fold.train].max() <= fold.refit_session <= sessions[fold.start]
        assert (labels[fold.train] != UNKNOWN).all()
        assert len(fold.train) >= LEAST_LABELS


def test_folds_before_enough_labels_are_left_out():
    sessions, price, _ = market(300)
    assert folds(sessions, np.full(len(price), UNKNOWN), first_session=50) == []


def test_folds_do_not_move_when_a_day_is_added():
    sessions, price, _ = market()
    labels = np.zeros(len(price), dtype=np.int64)
    before, after = folds(sessions[:-1], labels[:-1], 500), folds(sessions, labels, 500)
    for one, two in zip(before, after, strict=True):
        np.testing.assert_array_equal(one.train, two.train)


def test_fit_is_deterministic_and_keeps_the_class_order():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, len(CLASSES), 600)
    x = rng.normal(size=(600, len(FEATURES)))
    x[:, 0] = labels
    model = lightgbm_multiclass.fit(x, labels)
    assert model == lightgbm_multiclass.fit(x, labels)
    chances = lightgbm_multiclass.probabilities(model, x)
    np.testing.assert_allclose(chances.sum(axis=1), 1.0)
    assert (chances.argmax(axis=1) == labels).mean() > 0.99


def test_a_class_that_never_occurred_keeps_its_place():
    rng = np.random.default_rng(0)
    labels = rng.choice([1, 3], 400)
    x = np.column_stack([labels, rng.normal(size=(400, len(FEATURES) - 1))]).astype(np.float64)
    chances = lightgbm_multiclass.probabilities(lightgbm_multiclass.fit(x, labels), x)
    assert chances.shape == (400, len(CLASSES))
    assert set(chances.argmax(axis=1)) == {1, 3}
