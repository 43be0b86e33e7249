from gui.viewer.slot import Latest


def test_returns_only_the_newest_item():
    slot = Latest()
    for number in range(5):
        slot.put(number)
    assert slot.take() == 4
    assert slot.take() is None


def test_a_closed_queue_returns_at_once():
    slot = Latest()
    slot.put(1)
    slot.close()
    assert slot.take(timeout=10) is None
