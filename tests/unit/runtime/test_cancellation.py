import asyncio

import pytest

from cbi_common.runtime.cancellation import end, unbroken


def test_a_task_that_swallows_its_first_cancellation_is_ended_all_the_same() -> None:
    swallowed = 0

    async def stubborn() -> None:
        nonlocal swallowed
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                swallowed += 1
                if swallowed == 2:
                    raise

    async def main() -> asyncio.Task[None]:
        task = asyncio.create_task(stubborn())
        await asyncio.sleep(0)
        await asyncio.wait_for(end([task]), 10)
        return task

    assert asyncio.run(main()).cancelled()
    assert swallowed == 2


def test_what_an_ended_task_raised_is_dropped_and_no_tasks_are_no_trouble() -> None:
    async def fails() -> None:
        raise ValueError("its own business")

    async def main() -> None:
        task = asyncio.create_task(fails())
        await asyncio.sleep(0)
        await end([task])
        await end([])

    asyncio.run(main())


@pytest.mark.parametrize("fails", [False, True])
def test_what_must_not_end_half_done_is_finished_before_the_cancellation_goes_on(fails: bool) -> None:
    done: list[str] = []

    async def begun() -> None:
        await asyncio.sleep(0.02)
        done.append("whole")
        if fails:
            raise ValueError("after the cancellation nobody's business")

    async def main() -> None:
        task = asyncio.create_task(unbroken(begun()))
        for _ in range(2):
            await asyncio.sleep(0)
            task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert done == ["whole"]


def test_what_is_not_cancelled_returns_or_raises_as_usual() -> None:
    async def returns() -> int:
        return 3

    async def raises() -> int:
        raise ValueError("its own")

    assert asyncio.run(unbroken(returns())) == 3
    with pytest.raises(ValueError, match="its own"):
        asyncio.run(unbroken(raises()))
