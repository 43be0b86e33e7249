"""The layout of the window. `gui.widgets.controller` gives the widgets their functions.

toolbar     Load Video, Camera, People, Correct, Model, Save     model name, theme, ?
panels      frame with landmarks | reconstructions               sidebar
transport   previous, play, next, slider, time, frame, speed, loop
plot        measure, curves below the slider, people
status      status, note                                         duration of each stage
"""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Mapping, Sequence
from tkinter import ttk
from typing import Final

from PIL import ImageTk

from gui.viewer.painter import FUSED
from gui.viewer.player import Player
from gui.viewer.settings import Settings, parse_geometry
from gui.widgets import focus, icons, theme
from gui.widgets.button_row import ButtonRow
from gui.widgets.panels import DividedPanel, PicturePanel, RotatablePanel
from gui.widgets.plot_panel import PlotPanel
from gui.widgets.scrolled import Scrolled
from gui.widgets.sidebar import Sidebar
from gui.widgets.transport import Transport

CAPTIONS: Final = {
    "restored": "Restored",
    FUSED: "From many frames",
    "depth": "Depth",
    "shaded": "Shaded",
    "surface": "Rotatable",
}
"""Captions of the reconstructions, by kind, in the order of the panels."""

MIN_TILE: Final = 16
"""Smallest width of a reconstruction, in screen pixels. Without room for it, no
reconstruction is shown."""

MIN_CAPTION: Final = 135
"""Smallest width of a reconstruction with room for a long caption, in reference
pixels."""

SIZE: Final = (1280, 800)
MIN_SIZE: Final = (720, 520)
"""Width and height of the window, in reference pixels."""

_TASKBAR: Final = 60
"""Height of the screen that is left free for a task bar, in reference pixels."""

Entries = Sequence[tuple[str, Callable[[], None]]]
"""Labels of buttons or menu entries, and their functions."""


class Window:
    """All widgets. Only the main thread may use it.

    Attributes:
      root: The Tk window.
      ratio: Screen pixels per reference pixel.
      palette: Colours of the current theme.
      toolbar: The buttons at the top.
      body: The area with the frame and the reconstructions.
      sidebar: Check boxes and sliders.
      transport: The play bar.
      plot: The plot below it.
      source_panel: The frame with its landmarks.
      tiles: Panel of each kind of reconstruction.
      portrait: The panel with the face from many frames, which is one of them.
      surface: The panel with the rotatable surface, which is one of them as well.
      save_portrait: The button above it.
      tile_size: Width and height of the reconstructions, in screen pixels; 0 if they
        are not shown.
      buttons: Buttons of the toolbar, by label.
      menus: Menus of the toolbar, by label.
    """

    def __init__(
        self,
        settings: Settings,
        player: Player,
        *,
        on_change: Callable[[], None],
    ) -> None:
        """Creates the widgets. The window is not visible yet.

        Args:
          settings: Stored choices of the user.
          player: The player that the play bar controls.
          on_change: Called when the user changes a choice or the size of a panel.
        """
        self.root = tk.Tk(className="Ethos")
        self.root.withdraw()
        self.root.title("ETHOS")
        self.root.columnconfigure(0, weight=1)
        self.root.rowconfigure(1, weight=1)
        self.ratio = theme.pixel_ratio(self.root)
        self.palette = theme.PALETTES[settings.theme]
        self.tile_size = 0
        self.buttons: dict[str, ttk.Button] = {}
        self.menus: dict[str, tk.Menu] = {}
        self._icons: list[ImageTk.PhotoImage] = []
        self._place(settings.geometry)
        focus.do_not_follow_clicks(self.root)
        px = self.px
        self.toolbar = ButtonRow(self._row(0, (px(10), px(10)), columns=2), px(6))
        self.toolbar.pack(fill="x")
        self.body = self._row(1, (px(10), 0, px(2), 0), sticky="nsew")
        self.body.columnconfigure(0, weight=1)
        self.body.rowconfigure(0, weight=1)
        self._add_panels(self.body, on_change)
        self._column = Scrolled(self.root)
        self._column.grid(row=1, column=1, rowspan=3, sticky="ns", padx=px(10))
        self.sidebar = Sidebar(self._column.inside, settings, self.ratio, on_change)
        self.sidebar.pack(fill="both", expand=True)
        bar = self._row(2, (px(10), px(8), px(2), px(4)))
        self.transport = Transport(bar, player, self.ratio)
        self.transport.pack(fill="x")
        self._plot_row = self._row(3, (px(10), 0, px(2), px(6)))
        self.plot = PlotPanel(
            self._plot_row,
            player,
            self.transport,
            self.ratio,
            lane=settings.lane,
            on_change=on_change,
        )
        self.plot.pack(fill="x")
        self._add_status(self._row(4, (px(10), 0, px(10), px(8)), columns=2))
        self.tiles_frame.bind("<Configure>", lambda _: on_change())
        self.source_panel.bind("<Configure>", lambda _: on_change(), add="+")

    def px(self, size: float) -> int:
        """Converts reference pixels into screen pixels."""
        return round(size * self.ratio)

    def close(self) -> None:
        """Destroys the window.

        Tk's variables and images are released first. Left to the garbage collector,
        they might be released in another thread, which Tk does not allow.
        """
        for panel in (self.source_panel, *self.tiles.values(), self.plot.canvas):
            panel.clear()
        self.sidebar.toggles.clear()
        self.transport.release()
        self._icons.clear()
        theme.release(self.root)
        self.root.destroy()

    def _row(
        self,
        number: int,
        padding: tuple[int, ...],
        sticky: str = "ew",
        columns: int = 1,
    ) -> ttk.Frame:
        frame = ttk.Frame(self.root, padding=padding)  # type: ignore[arg-type]
        frame.grid(row=number, column=0, columnspan=columns, sticky=sticky)
        return frame

    def _add_panels(
        self,
        body: ttk.Frame,
        on_change: Callable[[], None],
    ) -> None:
        panes = ttk.PanedWindow(body, orient="horizontal")
        panes.grid(row=0, column=0, sticky="nsew")
        self.source_panel = PicturePanel(panes, width=self.px(640), height=self.px(400))
        self.tiles_frame = ttk.Frame(panes, style="Panel.TFrame", width=self.px(330))
        panes.add(self.source_panel, weight=4)
        panes.add(self.tiles_frame, weight=1)
        self.portrait = DividedPanel(self.tiles_frame, on_change)
        self.surface = RotatablePanel(self.tiles_frame, on_change)
        self.save_portrait = ttk.Button(self.tiles_frame, style="Caption.TButton")
        self.tiles: dict[str, PicturePanel] = {
            FUSED: self.portrait,
            "surface": self.surface,
        }
        self._captions: dict[str, ttk.Label] = {}
        for kind, caption in CAPTIONS.items():
            if kind not in self.tiles:
                self.tiles[kind] = PicturePanel(self.tiles_frame)
            self._captions[kind] = ttk.Label(
                self.tiles_frame, text=caption, style="Caption.TLabel"
            )

    def _add_status(self, line: ttk.Frame) -> None:
        # A widget that is packed first is cut off last.
        self.status_label = ttk.Label(line, style="Busy.TLabel")
        self.status_label.pack(side="left")
        self.stages_label = ttk.Label(line, style="Muted.TLabel")
        self.stages_label.pack(side="right")
        self.note_label = ttk.Label(line, style="Muted.TLabel")
        self.note_label.pack(side="left", padx=(self.px(12), 0))

    def _place(self, geometry: str) -> None:
        """Restores the stored size and position if they fit on the screen."""
        root, px = self.root, self.px
        screen = root.winfo_screenwidth(), root.winfo_screenheight()
        width = min(px(SIZE[0]), screen[0])
        height = min(px(SIZE[1]), screen[1] - px(_TASKBAR))
        root.minsize(min(px(MIN_SIZE[0]), width), min(px(MIN_SIZE[1]), height))
        root.geometry(f"{width}x{height}")
        stored = parse_geometry(geometry)
        if stored is None or stored[0] > screen[0] or stored[1] > screen[1]:
            return
        width, height, left, top = stored
        left = min(max(left, 0), screen[0] - width)
        top = min(max(top, 0), screen[1] - height)
        root.geometry(f"{width}x{height}+{left}+{top}")

    def fill_toolbar(
        self,
        buttons: Entries,
        menus: Mapping[str, Entries],
        on_theme: Callable[[], None],
        on_help: Callable[[], None],
    ) -> None:
        """Adds the buttons and menus of the toolbar.

        Args:
          buttons: The buttons from left to right. The first is highlighted.
          menus: The entries of each menu, by label, from left to right.
          on_theme: Function of the button that switches the theme.
          on_help: Function of the button "?".
        """
        bar = self.toolbar
        for label, command in buttons:
            style = "TButton" if self.buttons else "Accent.TButton"
            button = ttk.Button(bar, text=label, command=command, style=style)
            self.buttons[label] = button
            bar.add(button)
        for label, entries in menus.items():
            opener = ttk.Menubutton(bar, text=label)
            bar.add(opener)
            menu = self.menus[label] = tk.Menu(opener)
            for entry, command in entries:
                menu.add_command(label=entry, command=command)
            opener.configure(menu=menu)
        self.model_label = ttk.Label(bar, style="Muted.TLabel")
        bar.add(self.model_label, right=True)
        self._theme_button = ttk.Button(bar, width=5, command=on_theme)
        bar.add(self._theme_button, right=True)
        bar.add(ttk.Button(bar, text="?", width=2, command=on_help), right=True)

    def restyle(self, palette: theme.Palette) -> None:
        """Applies a theme."""
        self.palette = palette
        theme.apply(self.root, palette, self.ratio)
        for menu in self.menus.values():
            theme.style_menu(menu, palette)
        for panel in (self.source_panel, *self.tiles.values()):
            panel.configure(background=palette.panel)
        self._theme_button.configure(text="Light" if palette.name == "dark" else "Dark")
        self._column.restyle(palette.window)
        self.plot.restyle(palette)
        self.transport.restyle(palette.text)
        app = icons.icon("app", 64, palette.accent, self.root)
        self.root.iconphoto(True, app)  # type: ignore[arg-type]
        save = icons.icon("save", self.px(14), palette.text, self.root)
        self.save_portrait.configure(image=save)
        self._icons = [app, save]

    def show_plot(self, shown: bool) -> None:
        """Shows or hides the plot."""
        if shown:
            self._plot_row.grid()
        else:
            self._plot_row.grid_remove()

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of reconstruction that are switched on."""
        return tuple(kind for kind in CAPTIONS if self.sidebar.toggles[kind].get())

    def caption_portrait(self, frames: int | None) -> None:
        """Shows from how many frames the portrait was made; None without a portrait."""
        text = CAPTIONS[FUSED]
        if frames is not None:
            text = "1 frame" if frames == 1 else f"{frames} frames"
            if self.tile_size >= self.px(MIN_CAPTION):
                text = f"From {text}"
        set_text(self._captions[FUSED], text)

    def lay_out_tiles(self) -> None:
        """Places the reconstructions in one or two columns, as large as possible."""
        kinds = self.kinds
        width, height = self.tiles_frame.winfo_width(), self.tiles_frame.winfo_height()
        caption, gap = self.px(22), self.px(4)
        size, columns = 0, 1
        for count in (1, 2):
            rows = -(-len(kinds) // count) or 1
            side = min(width // count, height // rows - caption) - gap
            if side > size:
                size, columns = side, count
        if size < MIN_TILE:
            size, kinds = 0, ()
        self.tile_size = size
        left = (width - columns * (size + gap)) // 2
        for kind in CAPTIONS:
            if kind not in kinds:
                self.tiles[kind].place_forget()
                self._captions[kind].place_forget()
        self.save_portrait.place_forget()
        for number, kind in enumerate(kinds):
            row, column = divmod(number, columns)
            x, y = left + column * (size + gap), row * (size + caption + gap)
            self.tiles[kind].place(x=x, y=y + caption, width=size, height=size)
            room = size
            if kind == FUSED:
                self.save_portrait.place(x=x + size, y=y, height=caption, anchor="ne")
                room -= self.save_portrait.winfo_reqwidth()
            self._captions[kind].place(x=x, y=y, width=max(1, room), height=caption)


def set_text(label: ttk.Label, text: str, style: str | None = None) -> None:
    """Changes a label if it differs: each change of a label redraws it."""
    if str(label.cget("text")) != text:
        label.configure(text=text)
    if style is not None and str(label.cget("style")) != style:
        label.configure(style=style)
