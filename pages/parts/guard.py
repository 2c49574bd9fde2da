"""What Streamlit lets every client do to a server, and this server does not.

Streamlit has no settings for these, so parts of it are replaced, which are not public. The tests
that send such things to a real server tell when a later Streamlit has changed them.
"""

import logging
import threading
from typing import Any

from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.state.common import WidgetMetadata
from streamlit.runtime.state.session_state import Serialized, Value, WStates
from streamlit.runtime.uploaded_file_manager import UploadedFileRec

from core.serving.memory import limit

UPLOADS = 1 / 2  # of what the server may remember
UPLOADS_OF_A_TAB = 4  # a page has two places for files at most
# They log a traceback for whatever is wrong in a message.
_LOGGERS = (
    "streamlit.error_util",
    "streamlit.runtime.app_session",
    "streamlit.web.server.starlette.starlette_websocket",
    "uvicorn.error",
)
_NUMBERS = {"int_value", "double_value"}  # a browser sends either for a number
_lock = threading.Lock()
_guarded: list[object] = []  # once for each process, and for each place where files are kept


def guard() -> None:
    """Guard this server; only the first call does it."""
    context = get_script_run_ctx()
    files = context.uploaded_file_mgr if context else None
    if len(_guarded) == 2 and _guarded[1] is files:
        return
    with _lock:
        if not _guarded:
            _take_wrong_values()
            _log_tracebacks_once()
            _guarded.append(True)
        if isinstance(files, MemoryUploadedFileManager):
            _bound(files, limit() * UPLOADS)
        _guarded[1:] = [files]


def _take_wrong_values() -> None:
    """Have a widget take its default where a client sends what the widget can't read.

    Streamlit would raise before the page runs, at each rerun from then on, or hand the page a value
    of another type, or a text that is none of the widget's options.
    """
    value_of = WStates.__getitem__

    def value_or_default(states: WStates, name: str) -> Any:
        state, metadata = states.states.get(name), states.widget_metadata.get(name)
        if metadata is None or not isinstance(state, Serialized):
            return value_of(states, name)
        kind = state.value.WhichOneof("value")
        fits = kind in (None, metadata.value_type) or {kind, metadata.value_type} == _NUMBERS
        wrong = "" if fits else f"a {kind}"
        if fits and not _are_options(state, metadata):
            wrong = "no option of its own"
        try:
            if not wrong:
                value = value_of(states, name)
                if kind is None:  # from then on Streamlit takes that for the widget's kind
                    states.set_widget_metadata(metadata)
                return value
        except Exception as error:
            wrong = type(error).__name__
        logging.getLogger(__name__).warning(
            "The widget %.80r was sent something else: %s", name, wrong
        )
        states[name] = Value(metadata.deserializer(None))
        return value_of(states, name)

    WStates.__getitem__ = value_or_default  # type: ignore[method-assign]


def _are_options(state: Serialized, metadata: WidgetMetadata[Any]) -> bool:
    """Return whether a client chose among the options; True where a widget has none."""
    options, value = metadata.formatted_options, state.value
    chosen = [*value.string_array_value.data]
    if value.HasField("string_value"):
        chosen.append(value.string_value)
    return options is None or set(chosen) <= set(options)


def _log_tracebacks_once() -> None:
    """Have Streamlit log a traceback once for each place where something fails."""
    known: set[object] = set()

    def shorten(record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if isinstance(record.exc_info, tuple) else None
        if error is None:
            return True
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        place = (type(error), trace and (trace.tb_frame.f_code, trace.tb_lineno))
        if place in known:
            said = (record.getMessage().strip(), type(error).__name__)
            record.msg, record.args, record.exc_info = "%s again: %s", said, None
        known.add(place)
        return True

    for name in _LOGGERS:
        logging.getLogger(name).addFilter(shorten)


def _bound(files: MemoryUploadedFileManager, most: float) -> None:
    """Keep uploaded files of at most so many bytes, and few of a tab: the oldest go first.

    A client may upload files that belong to nothing on a page, so no page can bound them.
    """
    add, kept, lock = files.add_file, dict[tuple[str, str], int](), threading.Lock()

    def add_bounded(session_id: str, file: UploadedFileRec) -> None:
        add(session_id, file)
        with lock:
            with files._lock:
                there = {(tab, name) for tab, held in files.file_storage.items() for name in held}
            kept[session_id, file.file_id] = len(file.data)
            for each in kept.keys() - there:
                del kept[each]
            own = [each for each in kept if each[0] == session_id]
            for each in own[:-UPLOADS_OF_A_TAB]:
                files.remove_file(*each)
                del kept[each]
            for each in list(kept):
                if sum(kept.values()) <= most:
                    break
                files.remove_file(*each)
                del kept[each]

    files.add_file = add_bounded  # type: ignore[method-assign]
