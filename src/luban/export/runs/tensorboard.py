"""Runs as event files, which ``tensorboard --logdir`` reads.

A run is a folder, its parts are folders in it. Values are 32-bit numbers there, as TensorBoard's scalars are.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
from tensorboard.plugins.hparams.api_pb2 import Status
from tensorboard.plugins.hparams.metadata import (
    PLUGIN_DATA_VERSION,
    PLUGIN_NAME,
    SESSION_END_INFO_TAG,
    SESSION_START_INFO_TAG,
)
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData, SessionEndInfo, SessionStartInfo
from tensorboard.summary.writer.event_file_writer import EventFileWriter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from luban.core.run_record import RunRecord

_STATES = {"finished": Status.STATUS_SUCCESS, "running": Status.STATUS_RUNNING}


class TensorboardExporter:
    """Writes event files (`luban.core.run_record.RunExporter`)."""

    def export(self, record: RunRecord, folder: str) -> Mapping[str, Any]:
        """Write the metrics and parameters of a run and its parts.

        Returns
        -------
        mapping
            ``path``; ``runs`` and ``values``, how many of each; ``command``, which shows them.
        """
        runs, values = _write(record, Path(folder))
        return {"path": folder, "runs": runs, "values": values, "command": f"tensorboard --logdir {folder}"}


def _write(record: RunRecord, folder: Path) -> tuple[int, int]:
    folder.mkdir(parents=True, exist_ok=True)
    writer = EventFileWriter(str(folder), filename_suffix=f".{record.run.id}")
    began = record.run.started.timestamp()
    runs, values = 1, 0
    try:
        writer.add_event(
            Event(wall_time=began, summary=_told(SESSION_START_INFO_TAG, session_start_info=_start(record)))
        )
        for metric, history in record.history.items():
            for step, value, moment in history:
                summary = Summary(value=[Summary.Value(tag=metric, simple_value=value)])
                writer.add_event(Event(wall_time=moment.timestamp(), step=step, summary=summary))
            values += len(history)
        ended = record.run.ended
        if ended is not None:
            state = _STATES.get(record.run.state, Status.STATUS_FAILURE)
            end = SessionEndInfo(status=state, end_time_secs=ended.timestamp())
            summary = _told(SESSION_END_INFO_TAG, session_end_info=end)
            writer.add_event(Event(wall_time=ended.timestamp(), summary=summary))
    finally:
        writer.close()
    for part in record.parts:
        more = _write(part, folder / _folder(part))
        runs, values = runs + more[0], values + more[1]
    return runs, values


def _folder(record: RunRecord) -> str:
    """Return the name of a part's folder: what people call it, made plain, and its identifier."""
    plain = re.sub(r"[^\w.-]+", "_", record.run.name or record.run.operation).strip("._")[:60]
    return f"{plain}-{record.run.id}" if plain else record.run.id


def _start(record: RunRecord) -> SessionStartInfo:
    """Return the parameters as TensorBoard takes them: truth values, numbers and texts."""
    info = SessionStartInfo(start_time_secs=record.run.started.timestamp())
    for name, value in record.run.request.items():
        if isinstance(value, bool):
            info.hparams[name].bool_value = value
        elif isinstance(value, int | float):
            info.hparams[name].number_value = value
        elif value is not None:
            info.hparams[name].string_value = str(value)
    return info


def _told(tag: str, **info: Any) -> Summary:
    content = HParamsPluginData(version=PLUGIN_DATA_VERSION, **info).SerializeToString()
    metadata = SummaryMetadata(plugin_data=SummaryMetadata.PluginData(plugin_name=PLUGIN_NAME, content=content))
    return Summary(value=[Summary.Value(tag=tag, metadata=metadata)])
