"""asyncio: nothing is lost by a cancellation, and other tasks run."""

import asyncio
import os
import random

import numpy as np
import pytest

import feed_ring


@pytest.fixture
def publisher(root):
    with feed_ring.publish("ticks", "u8", root=root, capacity=4096) as publisher:
        yield publisher


def test_messages_and_the_end(publisher, root):
    subscriber = feed_ring.subscribe("ticks", root=root)

    async def publish():
        for number in range(300):
            publisher.publish(number)
            if number % 50 == 0:
                await asyncio.sleep(0.01)
        publisher.close()

    async def main():
        task = asyncio.create_task(publish())
        received = [int(message["value"]) async for message in subscriber]
        await task
        return received

    assert asyncio.run(main()) == list(range(300))


def test_batches(publisher, root):
    subscriber = feed_ring.subscribe("ticks", root=root)

    async def publish():
        for number in range(100):
            publisher.publish_batch(np.arange(number * 10, number * 10 + 10, dtype="u8"))
            await asyncio.sleep(0)
        publisher.close()

    async def main():
        task = asyncio.create_task(publish())
        received = []
        async for batch in subscriber.batches_async(64):
            assert 1 <= len(batch) <= 64
            received += batch["value"].tolist()
        await task
        return received

    assert asyncio.run(main()) == list(range(1000))
    with pytest.raises(ValueError):
        subscriber.batches_async(0)


def test_a_cancellation_loses_nothing(publisher, root):
    """Random cancellations while messages come; every message is received once."""
    subscriber = feed_ring.subscribe("ticks", root=root)
    chance = random.Random(7)
    cancelled = 0

    async def publish():
        for number in range(1000):
            publisher.publish(number)
            await asyncio.sleep(chance.random() * 0.002)

    async def main():
        nonlocal cancelled
        task, received = asyncio.create_task(publish()), []
        while len(received) < 1000:
            receive = asyncio.ensure_future(subscriber.recv_async())
            await asyncio.sleep(chance.random() * 0.001)
            receive.cancel()
            try:
                received.append(int((await receive)["value"]))
            except asyncio.CancelledError:
                cancelled += 1
        await task
        return received

    assert asyncio.run(main()) == list(range(1000))
    assert cancelled > 100, "the test has to cancel"
    assert subscriber.account.received == 1000


def test_wait_for_ends_in_time_and_the_message_comes_later(publisher, root):
    subscriber = feed_ring.subscribe("ticks", root=root)

    async def main():
        for _ in range(3):
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(subscriber.recv_async(), 0.02)
        publisher.publish(5)
        return int((await subscriber.recv_async())["value"])

    assert asyncio.run(main()) == 5


def test_other_tasks_run_beside_a_feed_that_never_pauses(publisher, root):
    subscriber = feed_ring.subscribe("ticks", root=root)
    publisher.publish_batch(np.arange(4000, dtype="u8"))
    turns = 0

    async def other():
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def main():
        task, count = asyncio.create_task(other()), 0
        async for _ in subscriber:
            count += 1
            if count == 4000:
                break
        task.cancel()

    asyncio.run(main())
    assert turns > 10


def test_a_second_task_is_refused(publisher, root):
    subscriber = feed_ring.subscribe("ticks", root=root)

    async def main():
        first = asyncio.create_task(subscriber.recv_async())
        await asyncio.sleep(0.02)
        with pytest.raises(feed_ring.Busy, match="another task"):
            await subscriber.recv_async()
        publisher.publish(1)
        return int((await first)["value"])

    assert asyncio.run(main()) == 1


@pytest.mark.parametrize("events", ["raise", "yield"])
def test_death_and_restart(root, events):
    first = feed_ring.publish("ticks", "u8", root=root, capacity=64)
    subscriber = feed_ring.subscribe("ticks", root=root, events=events)

    async def publish():
        await asyncio.sleep(0.05)
        first.leave()
        await asyncio.sleep(0.05)
        with feed_ring.publish("ticks", "u8", root=root, capacity=64) as second:
            second.publish(7)

    async def main():
        task, items = asyncio.create_task(publish()), []
        while not items or not isinstance(items[-1], feed_ring.Closed):
            try:
                items.append(await subscriber.recv_async())
            except feed_ring.PublisherDead as event:
                items.append(event)
                await subscriber.wait_for_publisher_async()
            except feed_ring.Event as event:
                items.append(event)
        await task
        return items

    dead, restarted, message, closed = asyncio.run(main())
    assert isinstance(dead, feed_ring.PublisherDead) and isinstance(restarted, feed_ring.Restarted)
    assert message["value"] == 7 and isinstance(closed, feed_ring.Closed)


def test_many_rings_in_one_loop(root):
    publishers = [feed_ring.publish(f"ring{number}", "u8", root=root, capacity=64) for number in range(8)]
    subscribers = [feed_ring.subscribe(f"ring{number}", root=root) for number in range(8)]

    async def receive(subscriber):
        return [int(message["value"]) async for message in subscriber]

    async def main():
        tasks = [asyncio.create_task(receive(subscriber)) for subscriber in subscribers]
        for turn in range(20):
            for number, publisher in enumerate(publishers):
                publisher.publish(100 * number + turn)
            await asyncio.sleep(0.001)
        for publisher in publishers:
            publisher.close()
        return await asyncio.gather(*tasks)

    assert asyncio.run(main()) == [[100 * number + turn for turn in range(20)] for number in range(8)]


@pytest.mark.parametrize("events", ["raise", "yield"])
@pytest.mark.parametrize("how", ["a task", "a thread"])
@pytest.mark.parametrize("call", ["recv_async", "wait_for_publisher_async"])
def test_close_ends_the_wait_of_a_task(root, call, how, events):
    publisher = feed_ring.publish("ticks", "u8", root=root, capacity=64)
    subscriber = feed_ring.subscribe("ticks", root=root, events=events)
    if call == "wait_for_publisher_async":
        publisher.leave()

    async def main():
        task = asyncio.create_task(getattr(subscriber, call)())
        await asyncio.sleep(0.05)
        assert not task.done()
        if how == "a task":
            subscriber.close()
        else:
            await asyncio.to_thread(subscriber.close)
        # Takes the number of a descriptor that was closed too early.
        reader, writer = os.pipe()
        came = asyncio.Event()
        asyncio.get_running_loop().add_reader(reader, came.set)
        with pytest.raises(feed_ring.HandleClosed):
            await asyncio.wait_for(task, 10)
        os.write(writer, b"1")
        await asyncio.wait_for(came.wait(), 10)
        asyncio.get_running_loop().remove_reader(reader)
        os.close(reader)
        os.close(writer)

    asyncio.run(main())
