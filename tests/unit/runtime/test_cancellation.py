import asyncio

from cbi_common.runtime.cancellation import end


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
