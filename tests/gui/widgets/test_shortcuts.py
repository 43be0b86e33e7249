from gui.widgets.shortcuts import SHORTCUTS, patterns

CAPS_LOCK = 2  # X11: LockMask
SHIFT = 1


def test_every_shortcut_has_an_action(start, clip):
    drive = start(clip, paused=True)
    assert set(drive.viewer.actions()) == {s.action for s in SHORTCUTS}


def test_letters_are_bound_in_both_cases():
    assert patterns("<l>") == ("<l>", "<L>")
    assert patterns("<Control-Shift-o>") == ("<Control-Shift-o>", "<Control-Shift-O>")
    assert patterns("<space>") == ("<space>",)
    assert patterns("<F1>") == ("<F1>",)


def test_letters_work_with_caps_lock(start, clip):
    drive = start(clip, paused=True)
    drive.ready()
    sidebar = drive.viewer.sidebar
    before = sidebar.values
    for key, name in (("P", "points"), ("E", "edges"), ("M", "smoothing")):
        drive.key("<KeyPress>", keysym=key, state=CAPS_LOCK)
        assert sidebar.values[name] != before[name]
    theme = drive.viewer.window.palette.name
    drive.key("<KeyPress>", keysym="T", state=CAPS_LOCK)
    assert drive.viewer.window.palette.name != theme


def test_control_and_letter_work_with_caps_lock(start, clip, monkeypatch):
    asked = []
    for name in ("askopenfilename", "askdirectory"):
        monkeypatch.setattr(
            f"gui.widgets.dialogs.filedialog.{name}",
            lambda name=name, **_: asked.append(name) or "",
        )
    drive = start(clip, paused=True)
    drive.key("<Control-KeyPress>", keysym="O", state=CAPS_LOCK | 4)
    drive.key("<Control-Shift-KeyPress>", keysym="o", state=CAPS_LOCK | SHIFT | 4)
    assert asked == ["askopenfilename", "askdirectory"]


def test_a_text_field_receives_plain_letters(start, clip):
    drive = start(clip, paused=True)
    drive.ready()
    entry = drive.viewer.transport.frame_entry
    before = drive.viewer.sidebar.values
    entry.focus_force()
    drive.viewer.root.update()
    entry.event_generate("<p>")
    drive.viewer.root.update()
    assert drive.viewer.sidebar.values == before


def test_escape_leaves_a_text_field_which_shows_the_frame_again(start, clip):
    drive = start(clip, paused=True)
    drive.ready()
    entry = drive.viewer.transport.frame_entry
    entry.focus_force()
    drive.viewer.root.update()
    entry.insert("end", "99")
    entry.event_generate("<Escape>")
    drive.until(lambda: drive.viewer.root.focus_get() is drive.viewer.root)
    drive.until(lambda: entry.get() == "0")
