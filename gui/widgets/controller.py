"""Connects the widgets of the viewer with its threads.

| class | task | runs in |
| --- | --- | --- |
| Player | decodes frames and passes them on in time | its own thread |
| Engine | degrades frames and asks the model | its own thread |
| Session | detector, tracker and model | its own process |
| Painter | draws pictures | its own thread |
| Plotter | draws the plot | its own thread |
| History | remembers the people of the video | |
| Corrections | landmarks that the user has corrected | a thread saves them |
| Assistant | interpolation, analysis of the video | its own thread and process |
| Controller | the window | the main thread |

Frames go from the player to the engine, the painter and the window through queues that
hold one item: a newer frame replaces a frame that still waits. Only the main thread
uses Tk. It looks for new pictures every few milliseconds.
"""

from __future__ import annotations

import dataclasses
import os
import tkinter as tk
from collections.abc import Callable, Sequence
from typing import Final

from ethos_model.footage.osc import OscSender
from gui.correction.session import Corrections
from gui.sample import SAMPLE
from gui.viewer import saving, settings
from gui.viewer.engine import READY, Engine
from gui.viewer.history import History, Person
from gui.viewer.painter import Painter, Painting
from gui.viewer.player import Player
from gui.viewer.plotter import Plotter
from gui.viewer.session import Factory, Setup, load
from gui.viewer.view import View
from gui.widgets import choices, dialogs, shortcuts, theme
from gui.widgets.correction import keys, parts
from gui.widgets.display import Display
from gui.widgets.people_window import PeopleWindow
from gui.widgets.save_menu import SaveMenu
from gui.widgets.window import Window

POLL_MS: Final = 10
"""Milliseconds between two looks for new pictures."""


class Controller:
    """The running viewer.

    Attributes:
      settings: The choices that are stored when the viewer is closed.
      player: The player.
      engine: The engine.
      painter: The painter.
      history: What was found of each person so far.
      plotter: The thread that draws the plot.
      correction: The correction mode.
      training: The training on corrections.
      window: The widgets.
      root: The Tk window.
      sidebar: Check boxes and sliders.
      transport: The play bar.
      save_menu: The Save menu.
    """

    def __init__(
        self,
        *,
        video: str | None = None,
        model_dir: str | None = None,
        detector: str = Setup.detector,
        backend: str = Setup.backend,
        factory: Factory = load,
        settings_path: str | None = None,
        annotate_command: Sequence[str] = saving.ANNOTATE,
        paused: bool = False,
        send: str | None = None,
        labelling: bool = False,
    ) -> None:
        """Opens the window. Only the main thread may call it.

        Args:
          video: Path of the source, or "camera:0"; None for the sample video.
          model_dir: Directory of an exported model; None for the model of the last
            start, or else the shipped model.
          detector: Name of the detector; see `ethos_model.footage.finder`.
          backend: File of the model to run; see `FacePredictor`.
          factory: Loads the model and the detector, in the other process.
          settings_path: File of the stored choices; None for the system's location.
          annotate_command: Command that runs ethos-annotate.
          paused: Whether the video waits until the user plays it.
          send: Address that receives the faces as OSC bundles; None for none.
          labelling: Whether to start in the correction mode, for unrelated images.
        """
        self._settings_path = settings_path or settings.default_path()
        self.settings = settings.read(self._settings_path)
        self._chosen: int | None = None
        self._closed = self._stopping = False
        self._labelling = labelling
        self._people: PeopleWindow | None = None
        self._sender = OscSender(send) if send is not None else None
        corrections = Corrections()
        self.painter = Painter(corrections.apply)
        self.history = History()
        self.plotter = Plotter(self.history)
        setup, fallback = choices.setups(self.settings, model_dir, detector, backend)
        self.engine = Engine(self._show, setup, factory, fallback=fallback)
        self.player = Player(self.engine.submit)
        self.window = Window(self.settings, self.player, on_change=self.changed)
        self.root = self.window.root
        self._display = Display(
            self.window, self.player, self.engine, self.painter, self.plotter
        )
        self.root.report_callback_exception = self._display.report
        correcting = parts.build(
            self.window,
            self.player,
            self.engine,
            self._display,
            corrections,
            factory,
            on_change=self.painter.refresh,
            load_model=self.load_model,
        )
        self.correction, self.training = correcting.mode, correcting.training
        self.correction.interpolating = self.settings.interpolate
        self.sidebar, self.transport = self.window.sidebar, self.window.transport
        self.save_menu = SaveMenu(
            self.root,
            get_painting=lambda: self.painting,
            get_video=self._video_path,
            get_flags=self._annotate_flags,
            history=self.history,
            show_notice=self._display.notice.show,
            command=annotate_command,
        )
        self._connect()
        self.root.deiconify()
        self.transport.set_loop(self.settings.loop)
        self.transport.set_speed(self.settings.speed)
        drawing = (self.painter, self.plotter)
        self._parts = (self.player, self.engine, *drawing, correcting.assistant)
        for part in reversed(self._parts):
            part.start()
        self.changed()
        if video is not None or os.path.exists(SAMPLE):
            self.open(video or SAMPLE, play=not (paused or labelling))
        if labelling:
            self.correction.open_soon()
        self._after = self.root.after(POLL_MS, self._poll)

    def _show(self, view: View) -> None:
        """Takes a processed frame, in the engine's thread."""
        self.history.add(view)
        self.painter.show(view)
        if self._sender is not None and view.phase == READY:
            frame = view.frame
            self._sender.send(frame.index, frame.timestamp, view.image, view.faces)

    def _connect(self) -> None:
        """Gives the widgets their functions."""
        window = self.window
        window.fill_toolbar(
            [
                ("Load Video", self.ask_video),
                ("Camera", lambda: self.open("camera:0")),
                ("People", self.show_people),
                ("Correct", self.correction.toggle),
            ],
            {
                "Model": [
                    ("Another model …", self.ask_model),
                    ("The shipped model", lambda: self.load_model(None)),
                ],
                "Save": self.save_menu.entries(),
            },
            on_theme=self.switch_theme,
            on_help=self.show_shortcuts,
        )
        window.restyle(window.palette)
        muted = window.palette.muted
        window.source_panel.set_hint("Load a video, or press Ctrl+O", muted)
        window.source_panel.bind("<Button-1>", self._click_source)
        window.save_portrait.configure(command=self.save_menu.save_portrait)
        viewer_keys = shortcuts.Table(shortcuts.SHORTCUTS, self.actions())
        shortcuts.bind(self.root, [self.correction.table(), viewer_keys])
        self.root.protocol("WM_DELETE_WINDOW", self.quit)

    def run(self) -> None:
        """Shows the window until it is closed."""
        try:
            self.root.mainloop()
        finally:
            self.close()

    def stop(self) -> None:
        """Closes the window soon. Signal handlers may call it."""
        self._stopping = True

    def quit(self) -> None:
        """Closes the window. Corrections that are not saved can be saved elsewhere."""
        if self.correction.settle():
            self.close()

    def close(self) -> None:
        """Stores the choices, ends threads and processes, and closes the window."""
        if self._closed:
            return
        self._closed = True
        stored = choices.to_store(self.settings, self.window, self.player, self.engine)
        stored = dataclasses.replace(stored, interpolate=self.correction.interpolating)
        settings.write(self._settings_path, stored)
        self.root.after_cancel(self._after)
        self.root.withdraw()
        self.save_menu.close()
        self.training.close()
        for part in self._parts:
            part.close()
        self.correction.release()
        if self._sender is not None:
            self._sender.close()
        self.window.close()

    @property
    def painting(self) -> Painting | None:
        """The pictures on the screen; None before the first."""
        return self._display.painting

    # Commands of the user.

    def actions(self) -> dict[str, Callable[[], None]]:
        """The function of each action of `gui.widgets.shortcuts.SHORTCUTS`."""
        player, sidebar = self.player, self.sidebar
        return {
            "open": self.ask_video,
            "open_folder": self.ask_folder,
            "play": player.toggle,
            "previous_frame": lambda: player.step(-1),
            "next_frame": lambda: player.step(1),
            "back": lambda: player.jump(-1),
            "forward": lambda: player.jump(1),
            "start": lambda: player.seek(0),
            "end": lambda: player.seek((player.state.frame_count or 1) - 1),
            "slower": lambda: self.transport.change_speed(-1),
            "faster": lambda: self.transport.change_speed(1),
            "loop": lambda: self.transport.set_loop(not player.state.loop),
            "points": lambda: sidebar.toggle("points"),
            "edges": lambda: sidebar.toggle("edges"),
            "pose": lambda: sidebar.toggle("pose"),
            "eyes": lambda: sidebar.toggle("eyes"),
            "uncertainty": sidebar.next_uncertainty,
            "smoothing": lambda: sidebar.toggle("smoothing"),
            "plot": lambda: sidebar.toggle("plot"),
            "correct": self.correction.toggle,
            "people": self.show_people,
            "face": lambda: self._choose(choices.next_face(self.painting)),
            "reset": sidebar.reset,
            "save_picture": self.save_menu.ask_picture,
            "model": self.ask_model,
            "theme": self.switch_theme,
            "buttons": self._focus_buttons,
            "help": self.show_shortcuts,
            "quit": self.quit,
        }

    def open(self, spec: str, *, play: bool = True) -> None:
        """Opens a video, an image, a directory of images or a camera."""
        self._chosen = None
        self.changed()
        self.player.open(spec, play=play)

    def load_model(self, model_dir: str | None) -> None:
        """Loads a model; None for the shipped model.

        The current model stays in use if the new model cannot be loaded.
        """
        setup = self.engine.state.setup
        self.engine.load(dataclasses.replace(setup, model_dir=model_dir))

    def ask_video(self) -> None:
        """Asks for a video and opens it."""
        path = dialogs.ask_video(self.root, self.settings.folder)
        if path:
            folder = os.path.dirname(path)
            self.settings = dataclasses.replace(self.settings, folder=folder)
            self.open(path)

    def ask_folder(self) -> None:
        """Asks for a folder of images and plays it."""
        path = dialogs.ask_folder(self.root, "Folder of images")
        if path:
            self.open(path)

    def ask_model(self) -> None:
        """Asks for the folder of an exported model and loads it."""
        path = dialogs.ask_folder(self.root, "Folder of an exported model")
        if path:
            self.load_model(path)

    def switch_theme(self) -> None:
        """Changes between the dark and the light theme."""
        dark = self.window.palette.name == "dark"
        self.window.restyle(theme.LIGHT if dark else theme.DARK)
        self.correction.restyle()
        if self.people_window is not None:
            self.people_window.restyle(self.window.palette)
        self.changed()

    def show_shortcuts(self) -> None:
        """Opens the list of shortcuts."""
        shortcuts.show(self.root, self.window.ratio, keys.help_columns())

    def _focus_buttons(self) -> None:
        """Moves the keyboard focus to the first button."""
        toolbar = iter(self.window.buttons.values())
        part = self.correction.panel.part
        (part if self.correction.is_open else next(toolbar)).focus_set()

    def show_people(self) -> None:
        """Opens the window with the people of the video, or brings it to the front."""
        if self.people_window is not None:
            self.people_window.lift()
            return
        self._people = PeopleWindow(
            self.root,
            self.history,
            self.window.palette,
            self.window.ratio,
            on_choose=self._go_to,
            on_save=self.save_menu.ask_people,
        )

    @property
    def people_window(self) -> PeopleWindow | None:
        """The window with the people; None if it is closed."""
        if self._people is not None and not self._people.winfo_exists():
            self._people = None
        return self._people

    def _go_to(self, person: Person) -> None:
        """Shows the best frame of a person."""
        self._chosen = person.id
        self.player.play(False)
        self.player.seek(person.frame)
        self.changed()

    def _click_source(self, event: tk.Event) -> None:
        """Chooses the face at the mouse."""
        self.root.focus_set()
        self._choose(choices.face_at(self.painting, event.x, event.y))

    def _choose(self, number: int | None) -> None:
        """Shows a face in the tiles; None keeps the current one."""
        if number is not None:
            self._chosen = number
            self.changed()

    def changed(self) -> None:
        """Passes the choices in the window to the engine and the painter."""
        if not hasattr(self, "window"):  # called by Tk while the window is created
            return
        window = self.window
        window.show_plot(self.sidebar.values["plot"])
        window.lay_out_tiles()
        options = choices.paint_options(window, self._chosen)
        self.painter.set_options(options)
        settings = choices.engine_settings(window, self._chosen)
        if self._labelling:  # the faces of two images are not smoothed
            settings = dataclasses.replace(settings, smoothing=False)
        self.engine.set_settings(settings)

    def _poll(self) -> None:
        if self._stopping:
            self.close()
            return
        try:
            self._display.update(self.save_menu)
            self.correction.update()
        finally:
            if not self._closed:
                self._after = self.root.after(POLL_MS, self._poll)

    def _video_path(self) -> str:
        """Path of the video on the screen; "" for a camera or without a video."""
        info = self.player.state.info
        return "" if info is None or info.live else info.path

    def _annotate_flags(self, path: str) -> list[str]:
        return saving.annotate_flags(
            self._video_path(),
            path,
            self.engine.state.setup,
            self.sidebar.degradation,
            kinds=self.window.kinds,
            overlay=self.sidebar.overlay,
            smoothing=self.sidebar.values["smoothing"],
        )
