from gui.viewer.slot import Latest


def test_returns_only_the_newest_item():
    slot = Latest()
    for number in range(5):
        slot.put(number)
    assert slot.take() == 4
    assert slot.take() is None
    assert slot.replaced == 4


def test_merges_a_dropped_item_into_the_new_item():
    slot = Latest(merge=lambda old, new: (*old, *new))
    slot.put(("a",))
    slot.put(("b",))
    slot.put(("c",))
    assert slot.take() == ("a", "b", "c")
    slot.put(("d",))
    assert slot.take() == ("d",)


def test_a_closed_queue_returns_at_once():
    slot = Latest()
    slot.put(1)
    slot.close()
    assert slot.take(timeout=10) is None
