"""The widgets of the viewer and where they stand; what they do is app.py's.

toolbar     Load Video · Camera · Model · Save             model's name · theme · ?
panes       source with landmarks | reconstructions        toggles and sliders
transport   previous · play · next · slider · time · frame · speed · loop
status      state · note                                    ms per stage
"""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Mapping, Sequence
from tkinter import ttk
from typing import Final

from gui.viewer.player import Player
from gui.viewer.settings import Settings
from gui.widgets import icons, theme
from gui.widgets.panels import PicturePanel, TurnablePanel
from gui.widgets.scrolled import Scrolled
from gui.widgets.sidebar import Sidebar
from gui.widgets.transport import Transport

CAPTIONS: Final = {
    "restored": "Restored",
    "depth": "Depth",
    "shaded": "Relief",
    "surface": "Surface · drag to turn",
}

SMALLEST_TILE: Final = 16
"""Pixels; smaller reconstructions are not shown."""


class Window:
    """All widgets. Only the main thread may touch it."""

    def __init__(
        self,
        settings: Settings,
        player: Player,
        *,
        on_change: Callable[[], None],
        on_turn: Callable[[float, float], None],
        on_turn_back: Callable[[], None],
    ) -> None:
        """Args:
        settings: as remembered.
        player: that the play bar controls.
        on_change: something was toggled, slid or resized.
        on_turn: degrees of yaw and pitch that the surface was turned by.
        on_turn_back: the surface was double-clicked.
        """
        self.root = tk.Tk(className="Ethos")
        self.root.withdraw()
        self.ratio = theme.pixel_ratio(self.root)
        self.palette = theme.PALETTES.get(settings.theme, theme.DARK)
        self.tile_size = 0
        self._on_change = on_change
        self.menus: dict[str, tk.Menu] = {}
        root, px = self.root, self.px
        root.title("ETHOS")
        root.columnconfigure(0, weight=1)
        root.rowconfigure(1, weight=1)
        self._place(settings.geometry)
        self.toolbar = ttk.Frame(root, padding=px(10))
        self.toolbar.grid(row=0, column=0, sticky="ew")

        body = ttk.Frame(root, padding=(px(10), 0))
        body.grid(row=1, column=0, sticky="nsew")
        body.columnconfigure(0, weight=1)
        body.rowconfigure(0, weight=1)
        panes = ttk.PanedWindow(body, orient="horizontal")
        panes.grid(row=0, column=0, sticky="nsew")
        self.source_panel = PicturePanel(panes, width=px(640), height=px(400))
        self.tiles_frame = ttk.Frame(panes, style="Panel.TFrame", width=px(230))
        panes.add(self.source_panel, weight=4)
        panes.add(self.tiles_frame, weight=1)
        self._column = Scrolled(body)
        self._column.grid(row=0, column=1, sticky="ns", padx=(px(12), 0))
        self.sidebar = Sidebar(self._column.inside, settings, self.ratio, on_change)
        self.sidebar.pack(fill="both", expand=True)
        self.tiles: dict[str, PicturePanel] = {}
        self._captions: dict[str, ttk.Label] = {}
        for kind, caption in CAPTIONS.items():
            self.tiles[kind] = (
                TurnablePanel(self.tiles_frame, on_turn, on_turn_back)
                if kind == "surface"
                else PicturePanel(self.tiles_frame)
            )
            self._captions[kind] = ttk.Label(
                self.tiles_frame, text=caption, style="Caption.TLabel"
            )
        self.tiles_frame.bind("<Configure>", lambda _: on_change())
        self.source_panel.bind("<Configure>", lambda _: on_change(), add="+")

        bottom = ttk.Frame(root, padding=(px(10), px(8), px(10), px(4)))
        bottom.grid(row=2, column=0, sticky="ew")
        self.transport = Transport(bottom, player, self.ratio)
        self.transport.pack(fill="x")
        line = ttk.Frame(root, padding=(px(10), 0, px(10), px(8)))
        line.grid(row=3, column=0, sticky="ew")
        self.status_label = ttk.Label(line, style="Busy.TLabel")
        self.status_label.pack(side="left")
        self.note_label = ttk.Label(line, style="Muted.TLabel")
        self.note_label.pack(side="left", padx=(px(12), 0))
        self.stages_label = ttk.Label(line, style="Muted.TLabel")
        self.stages_label.pack(side="right")

    def close(self) -> None:
        """Destroys it. What Tk owns is given back here and now: left to the garbage
        collector it might go in another thread."""
        for panel in (self.source_panel, *self.tiles.values()):
            panel.clear()
        self.sidebar.toggles.clear()
        self.transport.release()
        self._icon: object = None
        theme.release(self.root)
        self.root.destroy()

    def px(self, size: float) -> int:
        """Reference pixels in pixels of this screen."""
        return round(size * self.ratio)

    def _place(self, geometry: str) -> None:
        """Where it stood last time, if that is on the screen still."""
        root, px = self.root, self.px
        screen = root.winfo_screenwidth(), root.winfo_screenheight()
        width, height = min(px(1280), screen[0]), min(px(800), screen[1] - px(60))
        root.minsize(min(px(760), width), min(px(520), height))
        root.geometry(f"{width}x{height}")
        size, _, place = geometry.partition("+")
        try:
            wide, high = (int(v) for v in size.split("x"))
            left, top = (int(v) for v in place.split("+"))
        except ValueError:
            return
        if wide <= screen[0] and high <= screen[1]:
            left = min(max(left, 0), screen[0] - wide)
            top = min(max(top, 0), screen[1] - high)
            root.geometry(f"{wide}x{high}+{left}+{top}")

    def fill_toolbar(
        self,
        buttons: Sequence[tuple[str, Callable[[], None]]],
        menus: Mapping[str, Sequence[tuple[str, Callable[[], None]]]],
        on_theme: Callable[[], None],
        on_help: Callable[[], None],
    ) -> None:
        """Buttons at the left, the first of them the main one, then the menus."""
        bar, px = self.toolbar, self.px
        self.buttons: dict[str, ttk.Button] = {}
        for text, command in buttons:
            style = "TButton" if self.buttons else "Accent.TButton"
            button = ttk.Button(
                bar, text=text, command=command, style=style, takefocus=False
            )
            button.pack(side="left", padx=(0, px(6)))
            self.buttons[text] = button
        for text, entries in menus.items():
            opener = ttk.Menubutton(bar, text=text, takefocus=False)
            opener.pack(side="left", padx=(0, px(6)))
            menu = self.menus[text] = tk.Menu(opener)
            for entry, command in entries:
                menu.add_command(label=entry, command=command)
            opener.configure(menu=menu)
        ttk.Button(bar, text="?", width=2, command=on_help, takefocus=False).pack(
            side="right"
        )
        self.theme_button = ttk.Button(bar, command=on_theme, takefocus=False, width=5)
        self.theme_button.pack(side="right", padx=px(6))
        self.model_label = ttk.Label(bar, style="Muted.TLabel")
        self.model_label.pack(side="right", padx=px(6))

    def restyle(self, palette: theme.Palette) -> None:
        """Puts on a theme."""
        self.palette = palette
        theme.apply(self.root, palette, self.ratio)
        for menu in self.menus.values():
            theme.style_menu(menu, palette)
        for panel in (self.source_panel, *self.tiles.values()):
            panel.configure(background=palette.panel)
        self.theme_button.configure(text="Light" if palette.name == "dark" else "Dark")
        self._column.restyle(palette.window)
        self.transport.restyle(palette.text)
        self._icon = icons.icon("app", 64, palette.accent, self.root)
        self.root.iconphoto(True, self._icon)  # type: ignore[arg-type]

    @property
    def kinds(self) -> tuple[str, ...]:
        """Reconstructions that are switched on."""
        return tuple(k for k in CAPTIONS if self.sidebar.toggles[k].get())

    def lay_tiles(self) -> None:
        """Tiles one below the other, or in two columns where that makes them larger."""
        kinds = self.kinds
        width, height = self.tiles_frame.winfo_width(), self.tiles_frame.winfo_height()
        caption, gap = self.px(22), self.px(4)
        best, best_columns = 0, 1
        for columns in (1, 2):
            rows = -(-len(kinds) // columns) or 1
            size = min(width // columns, height // rows - caption) - gap
            if size > best:
                best, best_columns = size, columns
        if best < SMALLEST_TILE:
            best, kinds = 0, ()
        self.tile_size = best
        left = (width - best_columns * (best + gap)) // 2
        for kind in CAPTIONS:
            if kind not in kinds:
                self.tiles[kind].place_forget()
                self._captions[kind].place_forget()
        for number, kind in enumerate(kinds):
            row, column = divmod(number, best_columns)
            x, y = left + column * (best + gap), row * (best + caption + gap)
            self._captions[kind].place(x=x, y=y, height=caption)
            self.tiles[kind].place(x=x, y=y + caption, width=best, height=best)


def set_text(label: ttk.Label, text: str, style: str | None = None) -> None:
    """Changes a label only if it says something else: redrawing costs."""
    if str(label.cget("text")) != text:
        label.configure(text=text)
    if style is not None and str(label.cget("style")) != style:
        label.configure(style=style)
