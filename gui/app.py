"""The viewer: a video with its landmarks, the reconstruction beside it.

    ethos-view [VIDEO] [--model DIR] [--detector mtcnn|FILE.onnx]

Who does what, and in which thread:

    Player    decodes and paces          its own thread       player.py
    Engine    degrades, asks the model   its own thread       engine.py
    Session   detector, model, tracker   its own process      session.py
    Painter   draws pictures             its own thread       painter.py
    App       Tk, and nothing that takes time: the main thread

Frames run from Player to Engine to Painter to App through queues of one: the newest
wins, whatever is late is lost. Nothing but the main thread touches Tk; it asks for news
every few milliseconds. TensorFlow is never loaded into this process.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Any, Final

try:
    import tkinter as tk
except ImportError:  # Debian and others ship Python without it
    sys.exit("error: this Python has no Tk (Debian, Ubuntu: apt install python3-tk)")

from ethos_data.errors import cli
from gui.drawing.surface import Rotation
from gui.sample import SAMPLE
from gui.viewer import saving, settings, status
from gui.viewer.engine import READY, Engine, EngineSettings
from gui.viewer.painter import Painter, Painting, PaintOptions
from gui.viewer.player import Player
from gui.viewer.session import Factory, Setup, load
from gui.widgets import choosing, shortcuts, theme
from gui.widgets.save_menu import SaveMenu
from gui.widgets.window import Window, set_text

POLL_MS: Final = 10
"""Milliseconds between looks for news."""


class App:
    """The running viewer. Create it in the main thread and call `run`."""

    def __init__(
        self,
        *,
        video: str | None = None,
        model_dir: str | None = None,
        detector: str = "mtcnn",
        factory: Factory = load,
        settings_path: str | None = None,
        annotate_command: Sequence[str] = saving.ANNOTATE,
        paused: bool = False,
    ) -> None:
        """Opens the window.

        Args:
          video: path or camera to open at once; None = the sample.
          model_dir: an exported model; None = the last one, or the one that ships.
          detector: "mtcnn" or a YuNet file.
          factory: loads model and detector, in another process: a module's function.
          settings_path: where choices are remembered; None = the system's place.
          annotate_command: that saves whole videos.
          paused: whether the video waits for Play.
        """
        self._settings_path = settings_path or settings.default_path()
        self.settings = settings.read(self._settings_path)
        remembered = self.settings.model
        if not os.path.isdir(remembered):
            remembered = ""  # moved or deleted since
        setup = Setup(model_dir or remembered or None, detector)
        self.painting: Painting | None = None
        self._turn = Rotation()
        self._chosen: int | None = None
        self._closed = self._stopping = False

        self.painter = Painter()
        self.engine = Engine(self.painter.show, setup, factory)
        self.player = Player(self.engine.submit)
        self.window = Window(
            self.settings,
            self.player,
            on_change=self.changed,
            on_turn=self._turn_by,
            on_turn_back=self._turn_back,
        )
        self.root = self.window.root
        self.sidebar, self.transport = self.window.sidebar, self.window.transport
        self.save_menu = SaveMenu(
            self.root,
            get_painting=lambda: self.painting,
            get_name=self._saved_path,
            get_flags=self._annotate_flags,
            command=annotate_command,
        )
        self.window.fill_toolbar(
            [
                ("Load Video", self.ask_open),
                ("Camera", lambda: self.open("camera:0")),
            ],
            {
                "Model": [
                    ("Another model …", self.ask_model),
                    ("The model that ships", lambda: self.load_model(None)),
                ],
                "Save": self.save_menu.entries(),
            },
            on_theme=self.switch_theme,
            on_help=self.show_shortcuts,
        )
        self.window.restyle(self.window.palette)
        self.window.source_panel.set_hint(
            "Load a video, or press Ctrl+O", self.window.palette.muted
        )
        self.window.source_panel.bind("<Button-1>", self._click_source)
        shortcuts.bind(self.root, self._actions())
        self.root.protocol("WM_DELETE_WINDOW", self.close)
        self.root.deiconify()
        self.transport.set_loop(self.settings.loop)
        self.transport.set_speed(self.settings.speed)
        for thread in (self.painter, self.engine, self.player):
            thread.start()
        self.changed()
        if video is not None or os.path.exists(SAMPLE):
            self.open(video or SAMPLE, play=not paused)
        self._after = self.root.after(POLL_MS, self._poll)

    def run(self) -> None:
        """Shows the window until it is closed."""
        try:
            self.root.mainloop()
        finally:
            self.close()

    def stop(self) -> None:
        """Asks to be closed soon; for signal handlers."""
        self._stopping = True

    def close(self) -> None:
        """Remembers settings, ends threads and processes, closes the window."""
        if self._closed:
            return
        self._closed = True
        self._remember()
        self.root.after_cancel(self._after)
        self.root.withdraw()
        self.save_menu.cancel()
        self.player.close()
        self.engine.close()
        self.painter.close()
        self.window.close()

    # What the user does.

    def _actions(self) -> dict[str, Callable[[], None]]:
        player, sidebar = self.player, self.sidebar
        return {
            "open": self.ask_open,
            "open_folder": self.ask_folder,
            "play": player.toggle,
            "back": lambda: player.step(-1),
            "on": lambda: player.step(1),
            "jump_back": lambda: player.jump(-1),
            "jump_on": lambda: player.jump(1),
            "start": lambda: player.seek(0),
            "end": lambda: player.seek((player.state.frame_count or 1) - 1),
            "slower": lambda: self.transport.change_speed(-1),
            "faster": lambda: self.transport.change_speed(1),
            "loop": lambda: self.transport.set_loop(not player.state.loop),
            "points": lambda: sidebar.toggle("points"),
            "edges": lambda: sidebar.toggle("edges"),
            "uncertainty": sidebar.next_uncertainty,
            "smoothing": lambda: sidebar.toggle("smoothing"),
            "face": self._next_face,
            "reset": sidebar.reset,
            "save_picture": self.save_menu.ask_picture,
            "model": self.ask_model,
            "theme": self.switch_theme,
            "help": self.show_shortcuts,
            "quit": self.close,
        }

    def open(self, path: str, *, play: bool = True) -> None:
        """Opens a video, image, folder of images or camera."""
        self._chosen = None
        self.player.open(path, play=play)

    def load_model(self, model_dir: str | None) -> None:
        """Loads a model, None = the one that ships; refused, the old one stays."""
        self.engine.load(dataclasses.replace(self.engine.loaded, model_dir=model_dir))

    def ask_open(self) -> None:
        """Asks for a video and opens it."""
        path = choosing.ask_video(self.root, self.settings.folder)
        if path:
            folder = os.path.dirname(path)
            self.settings = dataclasses.replace(self.settings, folder=folder)
            self.open(path)

    def ask_folder(self) -> None:
        """Asks for a folder of images and plays it."""
        path = choosing.ask_folder(self.root, "Folder of images")
        if path:
            self.open(path)

    def ask_model(self) -> None:
        """Asks for the folder of an exported model and loads it."""
        path = choosing.ask_folder(self.root, "Folder of an exported model")
        if path:
            self.load_model(path)

    def switch_theme(self) -> None:
        """Light to dark and back."""
        dark = self.window.palette.name == "dark"
        self.window.restyle(theme.LIGHT if dark else theme.DARK)
        self.changed()

    def show_shortcuts(self) -> None:
        """Lists the keys."""
        shortcuts.show(self.root, self.window.ratio)

    def _turn_by(self, yaw: float, pitch: float) -> None:
        self._turn = Rotation(
            yaw=(self._turn.yaw + yaw + 180) % 360 - 180,
            pitch=min(85.0, max(-85.0, self._turn.pitch + pitch)),
        )
        self.changed()

    def _turn_back(self) -> None:
        self._turn = Rotation()
        self.changed()

    def _next_face(self) -> None:
        painting = self.painting
        if painting is None or painting.chosen is None:
            return
        ids = sorted(face.id for face in painting.view.faces)
        later = [number for number in ids if number > painting.chosen.id]
        self._chosen = later[0] if later else ids[0]
        self.changed()

    def _click_source(self, event: tk.Event) -> None:
        """Chooses the face that was clicked on."""
        self.root.focus_set()
        painting = self.painting
        if painting is None:
            return
        x = (event.x - painting.offset[0]) / painting.scale
        y = (event.y - painting.offset[1]) / painting.scale
        for face in painting.view.faces:
            x0, y0, x1, y1 = face.box
            if x0 <= x <= x1 and y0 <= y <= y1:
                self._chosen = face.id
                self.changed()

    def changed(self) -> None:
        """Takes over all that can be chosen in the window."""
        if not hasattr(self, "window"):  # Tk calls back while the window is built
            return
        window, toggles = self.window, self.sidebar.values
        window.lay_tiles()
        self.painter.set_options(
            PaintOptions(
                source_size=window.source_panel.extent,
                tile_size=window.tile_size,
                kinds=window.kinds,
                overlay=self.sidebar.overlay,
                chosen=self._chosen,
                rotation=self._turn,
                texture=toggles["texture"],
                background=window.palette.rgb("panel"),
            )
        )
        self.engine.set_settings(
            EngineSettings(
                degradation=self.sidebar.degradation,
                smoothing=toggles["smoothing"],
                compare=toggles["compare"],
            )
        )

    # News.

    def _poll(self) -> None:
        if self._stopping:
            self.close()
            return
        painting = self.painter.paintings.take()
        if painting is not None:
            self._show(painting)
        self._refresh_text()
        self._after = self.root.after(POLL_MS, self._poll)

    def _show(self, painting: Painting) -> None:
        self.painting = painting
        muted = self.window.palette.muted
        self.window.source_panel.set_hint("", muted)
        self.window.source_panel.show(painting.source)
        for kind, panel in self.window.tiles.items():
            picture = painting.tiles.get(kind)
            if picture is not None:
                panel.set_hint("", muted)
                panel.show(picture)
            else:
                panel.clear()
                panel.set_hint("no face" if painting.view.state == READY else "", muted)

    def _refresh_text(self) -> None:
        state, engine, painting = self.player.state, self.engine, self.painting
        window = self.window
        self.transport.refresh(state)
        view = painting.view if painting else None
        if engine.state == READY and engine.error:  # refused; the one before works on
            self.save_menu.tell(status.shortened(f"Model: {engine.error}"))
            engine.error = ""
        current = status.describe(view, state, engine.state, engine.error)
        set_text(
            window.status_label, current.text, f"{current.mood.capitalize()}.TLabel"
        )
        note = self.save_menu.progress() or self.save_menu.notice or state.note
        moved = status.difference(view) if view is not None else ""
        set_text(window.note_label, note or moved)
        set_text(window.model_label, f"model: {engine.model}" if engine.model else "")
        if view is not None and painting is not None:
            set_text(window.stages_label, status.stages(view, painting.milliseconds))
        title = f"{state.info.name} – ETHOS" if state.info else "ETHOS"
        if self.root.title() != title:
            self.root.title(title)

    # Memory.

    def _saved_path(self) -> str:
        """Of the video that is shown; "" if there is none, or a camera."""
        info = self.player.state.info
        return "" if info is None or info.live else info.path

    def _annotate_flags(self, path: str) -> list[str]:
        return saving.annotate_flags(
            self._saved_path(),
            path,
            self.engine.loaded,
            self.sidebar.degradation,
            kinds=self.window.kinds,
            overlay=self.sidebar.overlay,
            smoothing=self.sidebar.values["smoothing"],
        )

    def _remember(self) -> None:
        toggles: dict[str, Any] = self.sidebar.values
        state = self.player.state
        settings.write(
            self._settings_path,
            dataclasses.replace(
                self.settings,
                theme=self.window.palette.name,
                geometry=self.root.geometry(),
                uncertainty=self.sidebar.overlay.uncertainty,
                loop=state.loop,
                speed=state.speed,
                # One that was refused must not be asked for again at each start.
                model=(self.engine.model and self.engine.loaded.model_dir) or "",
                **toggles,
            ),
        )


@cli
def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="ethos-view",
        description="A video with its facial landmarks and reconstruction.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("video", nargs="?", help="video, image, folder or camera:0")
    parser.add_argument("--model", help="folder of an exported model")
    parser.add_argument(
        "--detector", default="mtcnn", help='"mtcnn", or a YuNet .onnx file'
    )
    args = parser.parse_args(argv)
    try:
        app = App(video=args.video, model_dir=args.model, detector=args.detector)
    except tk.TclError as error:
        print(f"error: no window can be opened ({error})", file=sys.stderr)
        return 1
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: app.stop())
    app.run()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
