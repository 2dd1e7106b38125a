from hypothesis import given, settings
from hypothesis import strategies as st

from cbi_common.reporting.lineage import Node, around, causation, lake_objects
from cbi_common.testing.story import Story, exported, forecast_ready

WHOLE = Story().whole()


def ids(nodes: tuple[Node, ...]) -> list[str]:
    return [i for node in nodes for i in (node.event.id, *ids(node.children))]


@settings(max_examples=20, deadline=None)
@given(st.permutations(WHOLE))
def test_every_event_stands_under_its_cause_whatever_the_order(shuffled) -> None:
    (root,) = causation(shuffled)
    assert root.event.id == "req-1"
    assert sorted(ids((root,))) == sorted(event.id for event in WHOLE)
    (export,) = root.children
    assert {child.event.causationid for child in export.children} == {export.event.id}


def test_an_event_without_its_cause_is_a_root() -> None:
    assert [node.event.type for node in causation(WHOLE[-3:])] == [event.type for event in WHOLE[-3:]]


def test_a_result_stands_under_the_plan_when_its_job_is_forgotten() -> None:
    def by_a_job(event):
        return event.model_copy(update={"causationid": "job"}) if event.type == "model.trained" else event

    (root,) = causation([by_a_job(event) for event in WHOLE])
    (export,) = root.children
    plans = [node for node in export.children if node.event.type == "training.planned"]
    assert [{child.event.data.model_id for child in plan.children} for plan in plans] == [{"ets"}, {"dense"}]


def test_around_an_event_are_its_causes_and_its_effects() -> None:
    forecast = next(event for event in WHOLE if event.type == "forecast.ready")
    kept = ids(around(causation(WHOLE), forecast.id))
    assert kept[:3] == ["req-1", WHOLE[1].id, forecast.id]
    assert [event.type for event in WHOLE if event.id in kept[3:]] == [
        "explanation.ready",
        "validation.completed",
        "promotion.rejected",
    ]
    assert around(causation(WHOLE), "nobody") == ()


def test_lake_objects_are_found_at_every_depth() -> None:
    assert [ref.key for ref in lake_objects(exported())] == ["manifest/1", "full/1"]
    assert [ref.key for ref in lake_objects(forecast_ready())] == ["manifest/1", "served/1", "members/1"]
