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
import sys
import time
import tkinter as tk
from collections.abc import Callable, Sequence
from tkinter import filedialog, messagebox, ttk
from typing import Final

from ethos_data.errors import EthosError, cli
from gui import icons, saving, settings, shortcuts, status, theme
from gui.engine import Engine, EngineSettings
from gui.overlay import OverlayOptions
from gui.painter import Painter, Painting, PaintOptions
from gui.panels import PicturePanel, TurnablePanel
from gui.player import Player
from gui.session import Factory, Setup, load
from gui.sidebar import UNCERTAINTY, Sidebar
from gui.surface import Turn
from gui.transport import Transport
from gui.video import IMAGE_SUFFIXES, VIDEO_SUFFIXES

POLL_MS: Final = 10
"""Milliseconds between looks for news."""

CAPTIONS: Final = {
    "restored": "Restored",
    "depth": "Depth",
    "shaded": "Relief",
    "surface": "Surface · drag to turn",
}


class App:
    """The window. Create it in the main thread and call `run`."""

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
        self._settings_path = settings_path or settings.default_path()
        self.settings = settings.read(self._settings_path)
        self.setup = Setup(model_dir or self.settings.model or None, detector)
        self._annotate_command = annotate_command
        self.painting: Painting | None = None
        self.job: saving.VideoJob | None = None
        self.notice = ""
        self._notice_until = 0.0
        self._turn = Turn()
        self._chosen: int | None = None
        self._source_path = ""
        self._closed = False
        self._after = ""

        self.painter = Painter()
        self.engine = Engine(self.painter.show, self.setup, factory)
        self.player = Player(self.engine.submit)

        self.root = tk.Tk(className="Ethos")
        self.root.withdraw()
        self.ratio = theme.pixel_ratio(self.root)
        self.palette = theme.PALETTES.get(self.settings.theme, theme.DARK)
        self._menus: list[tk.Menu] = []
        self._build()
        self._restyle()
        shortcuts.bind(self.root, self._actions())
        self.root.protocol("WM_DELETE_WINDOW", self.close)
        self.root.deiconify()

        self.transport.set_loop(self.settings.loop)
        self.transport.set_speed(self.settings.speed)
        for thread in (self.painter, self.engine, self.player):
            thread.start()
        self._changed()
        if video is not None:
            self.open(video, play=not paused)
        self._after = self.root.after(POLL_MS, self._poll)

    # -- layout ---------------------------------------------------------------------

    def _px(self, size: float) -> int:
        return round(size * self.ratio)

    def _build(self) -> None:
        root, px = self.root, self._px
        root.title("ETHOS")
        root.minsize(px(760), px(480))
        screen = root.winfo_screenwidth(), root.winfo_screenheight()
        width, height = min(px(1280), screen[0]), min(px(760), screen[1] - px(40))
        root.geometry(self.settings.geometry or f"{width}x{height}")
        root.columnconfigure(0, weight=1)
        root.rowconfigure(1, weight=1)
        self._build_toolbar().grid(row=0, column=0, sticky="ew")

        body = ttk.Frame(root, padding=(px(10), 0))
        body.grid(row=1, column=0, sticky="nsew")
        body.columnconfigure(0, weight=1)
        body.rowconfigure(0, weight=1)
        panes = ttk.PanedWindow(body, orient="horizontal")
        panes.grid(row=0, column=0, sticky="nsew")
        self.source_panel = PicturePanel(panes, width=px(640), height=px(400))
        self.source_panel.bind("<Button-1>", self._click_source)
        self.tiles_frame = ttk.Frame(panes, style="Panel.TFrame", width=px(230))
        panes.add(self.source_panel, weight=4)
        panes.add(self.tiles_frame, weight=1)
        self.sidebar = Sidebar(body, self.settings, self.ratio, self._changed)
        self.sidebar.grid(row=0, column=1, sticky="ns", padx=(px(12), 0))
        self.tiles: dict[str, PicturePanel] = {}
        self._captions: dict[str, ttk.Label] = {}
        for kind, caption in CAPTIONS.items():
            if kind == "surface":
                self.tiles[kind] = TurnablePanel(
                    self.tiles_frame, self._turn_by, self._turn_back
                )
            else:
                self.tiles[kind] = PicturePanel(self.tiles_frame)
            label = ttk.Label(self.tiles_frame, text=caption, style="Caption.TLabel")
            self._captions[kind] = label
        self.tiles_frame.bind("<Configure>", lambda _: self._lay_tiles())
        self.source_panel.bind("<Configure>", lambda _: self._changed(), add="+")

        bottom = ttk.Frame(root, padding=(px(10), px(8), px(10), px(4)))
        bottom.grid(row=2, column=0, sticky="ew")
        self.transport = Transport(bottom, self.player, self.ratio)
        self.transport.pack(fill="x")
        line = ttk.Frame(root, padding=(px(10), 0, px(10), px(8)))
        line.grid(row=3, column=0, sticky="ew")
        self.status_label = ttk.Label(line, style="Busy.TLabel")
        self.status_label.pack(side="left")
        self.note_label = ttk.Label(line, style="Muted.TLabel")
        self.note_label.pack(side="left", padx=(px(12), 0))
        self.stages_label = ttk.Label(line, style="Muted.TLabel")
        self.stages_label.pack(side="right")

    def _build_toolbar(self) -> ttk.Frame:
        px = self._px
        bar = ttk.Frame(self.root, padding=px(10))

        def button(text: str, command: Callable[[], None], style: str = "TButton"):
            widget = ttk.Button(
                bar, text=text, command=command, style=style, takefocus=False
            )
            widget.pack(side="left", padx=(0, px(6)))
            return widget

        self.load_button = button("Load Video", self.ask_open, "Accent.TButton")
        self.camera_button = button("Camera", lambda: self.open("camera:0"))
        self.model_button = button("Model …", self.ask_model)
        self.save_button = ttk.Menubutton(bar, text="Save", takefocus=False)
        self.save_button.pack(side="left", padx=(0, px(6)))
        menu = tk.Menu(self.save_button)
        self._menus.append(menu)
        self.save_menu = menu
        for text, command in (
            ("This picture …  (PNG)", self.ask_save_picture),
            ("Depth of the face …  (16-bit PNG)", self.ask_save_depth),
            ("Mesh of the face …  (PLY, OBJ)", self.ask_save_mesh),
            ("Landmarks of the video …  (CSV, JSON, NPZ)", self.ask_save_table),
            ("Annotated video …  (MP4, MKV, AVI)", self.ask_save_video),
            ("Stop saving the video", self.cancel_job),
        ):
            menu.add_command(label=text, command=command)
        self.save_button.configure(menu=menu)
        self.help_button = ttk.Button(
            bar, text="?", width=2, command=self.show_shortcuts, takefocus=False
        )
        self.help_button.pack(side="right")
        self.theme_button = ttk.Button(bar, command=self.switch_theme, takefocus=False)
        self.theme_button.pack(side="right", padx=(0, px(6)))
        self.model_label = ttk.Label(bar, style="Muted.TLabel")
        self.model_label.pack(side="right", padx=(0, px(12)))
        return bar

    def _restyle(self) -> None:
        palette = self.palette
        theme.apply(self.root, palette, self.ratio)
        for menu in self._menus:
            theme.style_menu(menu, palette)
        for panel in (self.source_panel, *self.tiles.values()):
            panel.configure(background=palette.panel)
        self.theme_button.configure(text="Light" if palette.name == "dark" else "Dark")
        self.transport.restyle(palette.text)
        self._icon = icons.icon("app", 64, palette.accent, self.root)
        self.root.iconphoto(True, self._icon)  # type: ignore[arg-type]
        hint = "Load a video, or press Ctrl+O" if self.painting is None else ""
        self.source_panel.set_hint(hint, palette.muted)

    def _shown_kinds(self) -> tuple[str, ...]:
        return tuple(k for k in CAPTIONS if self.sidebar.toggles[k].get())

    def _lay_tiles(self) -> None:
        """Tiles one below the other, or in two columns where that makes them larger."""
        kinds = self._shown_kinds()
        width, height = self.tiles_frame.winfo_width(), self.tiles_frame.winfo_height()
        caption = self._px(22)
        best, best_columns = 0, 1
        for columns in (1, 2):
            rows = -(-len(kinds) // columns) or 1
            size = min(width // columns, height // rows - caption) - self._px(4)
            if size > best:
                best, best_columns = size, columns
        self._tile_size = max(0, best)
        for kind in CAPTIONS:
            if kind not in kinds or best < 16:
                self.tiles[kind].place_forget()
                self._captions[kind].place_forget()
        step = best + caption + self._px(4)
        left = (width - best_columns * (best + self._px(4))) // 2
        for number, kind in enumerate(kinds if best >= 16 else ()):
            row, column = divmod(number, best_columns)
            x, y = left + column * (best + self._px(4)), row * step
            self._captions[kind].place(x=x, y=y, height=caption)
            self.tiles[kind].place(x=x, y=y + caption, width=best, height=best)
        self._changed(lay=False)

    # -- what the user does -----------------------------------------------------------

    def _actions(self) -> dict[str, Callable[[], None]]:
        player, sidebar = self.player, self.sidebar

        def jump(seconds: float) -> None:
            player.seek_time(player.state.timestamp + seconds)

        return {
            "open": self.ask_open,
            "play": player.toggle,
            "back": lambda: player.step(-1),
            "on": lambda: player.step(1),
            "jump_back": lambda: jump(-1),
            "jump_on": lambda: jump(1),
            "start": lambda: player.seek(0),
            "end": lambda: player.seek((player.state.frame_count or 1) - 1),
            "slower": lambda: self.transport.change_speed(-1),
            "faster": lambda: self.transport.change_speed(1),
            "loop": lambda: self.transport.set_loop(not player.state.loop),
            "points": lambda: sidebar.toggle("points"),
            "edges": lambda: sidebar.toggle("edges"),
            "uncertainty": self._next_uncertainty,
            "smoothing": lambda: sidebar.toggle("smoothing"),
            "face": self._next_face,
            "reset": sidebar.reset,
            "save_picture": self.ask_save_picture,
            "model": self.ask_model,
            "theme": self.switch_theme,
            "help": self.show_shortcuts,
            "quit": self.close,
        }

    def open(self, path: str, *, play: bool = True) -> None:
        """Opens a video, image, folder of images or camera."""
        self._source_path = path
        self._chosen = None
        self.player.open(path, play=play)

    def load_model(self, model_dir: str) -> None:
        """Loads another exported model; the old one stays if it is refused."""
        self.setup = dataclasses.replace(self.setup, model_dir=model_dir)
        self.engine.load(self.setup)

    def switch_theme(self) -> None:
        """Light to dark and back."""
        dark = self.palette.name == "dark"
        self.palette = theme.LIGHT if dark else theme.DARK
        self._restyle()
        self._changed()

    def show_shortcuts(self) -> None:
        """Lists the keys."""
        shortcuts.show(self.root, self.ratio)

    def _turn_by(self, yaw: float, pitch: float) -> None:
        turn = self._turn
        self._turn = Turn(
            yaw=(turn.yaw + yaw + 180) % 360 - 180,
            pitch=min(85.0, max(-85.0, turn.pitch + pitch)),
        )
        self._changed()

    def _turn_back(self) -> None:
        self._turn = Turn()
        self._changed()

    def _next_uncertainty(self) -> None:
        names = list(UNCERTAINTY)
        box = self.sidebar.uncertainty
        box.set(names[(names.index(box.get()) + 1) % len(names)])
        self._changed()

    def _next_face(self) -> None:
        painting = self.painting
        if painting is None or not painting.view.faces:
            return
        ids = sorted(face.id for face in painting.view.faces)
        current = painting.chosen.id if painting.chosen else ids[0]
        later = [number for number in ids if number > current]
        self._chosen = later[0] if later else ids[0]
        self._changed()

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
                self._changed()

    def _changed(self, *, lay: bool = True) -> None:
        """Takes over all that can be chosen in the window."""
        if lay:
            self._lay_tiles()
            return
        toggles = {name: v.get() for name, v in self.sidebar.toggles.items()}
        overlay = OverlayOptions(
            points=toggles["points"],
            edges=toggles["edges"],
            boxes=toggles["boxes"],
            uncertainty=UNCERTAINTY[self.sidebar.uncertainty.get()],
        )
        self.painter.set_options(
            PaintOptions(
                source_size=self.source_panel.size,
                tile_size=self._tile_size,
                kinds=self._shown_kinds(),
                overlay=overlay,
                chosen=self._chosen,
                turn=self._turn,
                texture=toggles["texture"],
                background=self.palette.rgb("panel"),
            )
        )
        self.engine.set_settings(
            EngineSettings(
                degradation=self.sidebar.degradation,
                smoothing=toggles["smoothing"],
                compare=toggles["compare"],
            )
        )

    # -- dialogs ----------------------------------------------------------------------

    def ask_open(self) -> None:
        """Asks for a video and opens it."""
        patterns = " ".join(f"*{s}" for s in (*VIDEO_SUFFIXES, *IMAGE_SUFFIXES))
        path = filedialog.askopenfilename(
            parent=self.root,
            title="Load a video",
            initialdir=self.settings.folder or None,
            filetypes=[("Videos and images", patterns), ("All files", "*")],
        )
        if path:
            self.settings = dataclasses.replace(
                self.settings, folder=os.path.dirname(path)
            )
            self.open(path)

    def ask_model(self) -> None:
        """Asks for the folder of an exported model and loads it."""
        path = filedialog.askdirectory(
            parent=self.root, title="Folder of an exported model", mustexist=True
        )
        if path:
            self.load_model(path)

    def _ask_save(self, title: str, suffixes: Sequence[str]) -> str:
        stem = os.path.splitext(os.path.basename(os.path.normpath(self._source_path)))
        return filedialog.asksaveasfilename(
            parent=self.root,
            title=title,
            initialfile=f"{stem[0] or 'ethos'}{suffixes[0]}",
            defaultextension=suffixes[0],
            filetypes=[(s[1:].upper(), f"*{s}") for s in suffixes],
        )

    def _save(
        self, title: str, suffixes: Sequence[str], save: Callable[[str, Painting], None]
    ) -> None:
        painting = self.painting
        if painting is None:
            self._complain("There is no picture yet")
            return
        path = self._ask_save(title, suffixes)
        if path:
            self.save(path, painting, save)

    def save(
        self, path: str, painting: Painting, save: Callable[[str, Painting], None]
    ) -> None:
        """Saves something of the moment and says so, or says why not."""
        try:
            save(path, painting)
        except (EthosError, OSError) as error:
            self._complain(str(error))
        else:
            self._tell(f"Saved {path}")

    def ask_save_picture(self) -> None:
        self._save("Save this picture", (".png",), saving.save_picture)

    def ask_save_depth(self) -> None:
        self._save("Save the depth", (".png",), saving.save_depth)

    def ask_save_mesh(self) -> None:
        self._save("Save the mesh", (".ply", ".obj"), saving.save_mesh)

    def ask_save_table(self) -> None:
        self._ask_save_video("Save landmarks", (".csv", ".json", ".npz"))

    def ask_save_video(self) -> None:
        self._ask_save_video("Save an annotated video", (".mp4", ".mkv", ".avi"))

    def _ask_save_video(self, title: str, suffixes: Sequence[str]) -> None:
        info = self.player.state.info
        if info is None or info.live:
            self._complain("Load a video first")
            return
        path = self._ask_save(title, suffixes)
        if path:
            self.save_video(path)

    def save_video(self, path: str) -> None:
        """Annotates the whole video in another process, with the window's settings."""
        if self.job is not None:
            self._complain("A video is being saved already")
            return
        flags = saving.annotate_flags(
            self._source_path,
            path,
            self.setup,
            self.sidebar.degradation,
            smoothing=self.sidebar.toggles["smoothing"].get(),
            uncertainty=UNCERTAINTY[self.sidebar.uncertainty.get()],
        )
        self.job = saving.VideoJob(path, flags, self._annotate_command)
        self.job.start()

    def cancel_job(self) -> None:
        """Stops saving the video."""
        if self.job is not None:
            self.job.cancel()

    def _complain(self, text: str) -> None:
        self._tell(text)
        messagebox.showwarning("ETHOS", text, parent=self.root)

    def _tell(self, text: str) -> None:
        """A note in the status line for some seconds."""
        self.notice = text
        self._notice_until = time.monotonic() + 8

    # -- news -------------------------------------------------------------------------

    def _poll(self) -> None:
        painting = self.painter.paintings.take()
        if painting is not None:
            self._show(painting)
        self._refresh_text()
        self._after = self.root.after(POLL_MS, self._poll)

    def _show(self, painting: Painting) -> None:
        first = self.painting is None
        self.painting = painting
        self.source_panel.show(painting.source)
        if first:
            self.source_panel.set_hint("", self.palette.muted)
        for kind, panel in self.tiles.items():
            picture = painting.tiles.get(kind)
            if picture is not None:
                panel.show(picture)
                panel.set_hint("", self.palette.muted)
            else:
                panel.clear()
                panel.set_hint("no face", self.palette.muted)

    def _refresh_text(self) -> None:
        state, engine, painting = self.player.state, self.engine, self.painting
        self.transport.refresh(state)
        view = painting.view if painting else None
        current = status.describe(view, state, engine.state, engine.error)
        mood = f"{current.mood.capitalize()}.TLabel"
        _set(self.status_label, current.text, mood)
        note = state.note
        if self.job is not None:
            note = f"Saving {os.path.basename(self.job.path)}: {self.job.line}"
            if self.job.status is not None:
                done = self.job.status == 0
                self._tell(f"Saved {self.job.path}" if done else self.job.line)
                self.job = None
        if time.monotonic() < self._notice_until:
            note = self.notice
        _set(self.note_label, note)
        _set(self.model_label, f"model: {engine.model}" if engine.model else "")
        if view is not None and painting is not None:
            _set(self.stages_label, status.stages(view, painting.milliseconds))
            _set(self.sidebar.difference, status.difference(view))
        title = f"{state.info.name} – ETHOS" if state.info else "ETHOS"
        if self.root.title() != title:
            self.root.title(title)

    # -- life -------------------------------------------------------------------------

    def run(self) -> None:
        """Shows the window until it is closed."""
        try:
            self.root.mainloop()
        finally:
            self.close()

    def close(self) -> None:
        """Remembers settings, ends threads and processes, closes the window."""
        if self._closed:
            return
        self._closed = True
        self._remember()
        self.root.after_cancel(self._after)
        self.root.withdraw()
        if self.job is not None:
            self.job.cancel()
        self.player.close()
        self.engine.close()
        self.painter.close()
        self.root.destroy()

    def _remember(self) -> None:
        toggles = {name: v.get() for name, v in self.sidebar.toggles.items()}
        state = self.player.state
        settings.write(
            self._settings_path,
            dataclasses.replace(
                self.settings,
                theme=self.palette.name,
                geometry=self.root.geometry(),
                uncertainty=UNCERTAINTY[self.sidebar.uncertainty.get()],
                loop=state.loop,
                speed=state.speed,
                model=self.setup.model_dir or "" if not self.engine.error else "",
                **toggles,
            ),
        )


def _set(label: ttk.Label, text: str, style: str | None = None) -> None:
    """Changes a label only if it says something else: redrawing costs."""
    if str(label.cget("text")) != text:
        label.configure(text=text)
    if style is not None and str(label.cget("style")) != style:
        label.configure(style=style)


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
    app.run()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
