import pytest

from cbi_common.catalogue.spec import load_catalogue
from cbi_common.core.errors import UsageError
from cbi_common.core.horizon import Horizon
from cbi_common.events.manifest import Member, Refit
from cbi_common.storage.lake import Lake
from cbi_common.testing.walks import FIRST_DAY, make_manifest, random_dataset
from cbi_common.training.environment import Environment
from cbi_common.training.plan import job_id, job_key, plan

ENVIRONMENT = Environment(device="cpu", libraries=("numpy",))


@pytest.fixture
def manifest(tmp_path):
    return make_manifest(Lake(str(tmp_path)), random_dataset(), ("drift", "lgbm", "dense"))[0]


def test_every_expected_member_is_in_one_job_of_one_device(manifest):
    jobs = [job for device in ("cpu", "metal") for job in plan(manifest, load_catalogue(), device)]
    covered = [(job.model_id, h) for job in jobs for h in job.horizons]
    assert sorted(covered) == sorted((m.model_id, m.horizon) for m in manifest.members)
    assert len({job_id(job) for job in jobs}) == len(jobs)
    assert [job.model_id for job in plan(manifest, load_catalogue(), "metal")] == ["dense"]
    assert [job_id(job) for job in plan(manifest, load_catalogue(), "cpu")][:2] == ["drift-1w-1m-3m-6m-12m", "lgbm-1w"]


def test_a_horizon_that_nobody_expects_is_not_trained(manifest):
    only = (Member(model_id="drift", horizon=Horizon.M1), Member(model_id="lgbm", horizon=Horizon.W1))
    jobs = plan(manifest.model_copy(update={"members": only}), load_catalogue(), "cpu")
    assert [job_id(job) for job in jobs] == ["drift-1m", "lgbm-1w"]


def test_an_expected_model_must_be_in_the_catalogue(manifest):
    stranger = (Member(model_id="stranger", horizon=Horizon.M1),)
    with pytest.raises(UsageError, match="stranger"):
        plan(manifest.model_copy(update={"members": stranger}), load_catalogue(), "cpu")


def keys(manifest, environment=ENVIRONMENT):
    return {job_id(j): job_key(manifest, j, "full", environment) for j in plan(manifest, load_catalogue(), "cpu")}


def test_what_concerns_another_model_leaves_the_result(manifest):
    extra = Refit(date=FIRST_DAY, session=333, model_ids=("lgbm",), cause="event-1")
    before, after = keys(manifest), keys(manifest.model_copy(update={"refits": (*manifest.refits, extra)}))
    assert before["drift-1w-1m-3m-6m-12m"] == after["drift-1w-1m-3m-6m-12m"]
    assert before["lgbm-1w"] != after["lgbm-1w"]


def test_why_a_refit_took_place_and_the_run_leave_the_result(manifest):
    told = tuple(r.model_copy(update={"cause": "event-2"}) for r in manifest.refits)
    assert keys(manifest) == keys(manifest.model_copy(update={"refits": told, "catalogue_sha256": "0" * 64}))


@pytest.mark.parametrize("what", ["as_of_session", "cutoff_every", "market", "data", "windows", "usable", "precision"])
def test_what_decides_a_result_changes_its_key(manifest, what):
    environment = ENVIRONMENT
    update = {"as_of_session": 9999, "cutoff_every": 10, "market": "other"}.get(what)
    if what == "data":
        update = {"full": manifest.datasets["full"].model_copy(update={"sha256": "0" * 64})}
    if what == "windows":
        update = {h: w.model_copy(update={"start": 305}) for h, w in manifest.windows.items()}
    if what == "usable":
        update = {"full": {"x0": 0}}
    if what == "precision":
        environment = Environment(device="cpu", libraries=("numpy",), precision="float32")
    name = {"data": "datasets", "usable": "usable_from"}.get(what, what)
    changed = manifest if what == "precision" else manifest.model_copy(update={name: update})
    before, after = keys(manifest), keys(changed, environment)
    assert not set(before.values()) & set(after.values())


def test_a_column_that_no_refit_may_use_yet_decides_nothing(manifest):
    last = max(r.session for r in manifest.refits)
    now, later = ({"full": {"x0": 0, **more}, "other": {}} for more in ({}, {"x1": last + 1}))
    assert keys(manifest.model_copy(update={"usable_from": now})) == keys(
        manifest.model_copy(update={"usable_from": later})
    )


def test_the_environment_names_versions_and_machine():
    identity = ENVIRONMENT.identity()
    assert identity["libraries"]["numpy"].count(".") == 2
    assert "-" in identity["machine"]
