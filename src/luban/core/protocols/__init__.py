"""The protocols: what a part must do to take its place in the house.

Most are the contract of one entry-point group (``luban.learners``, ``luban.sources``, ...). They are
small on purpose; what only some parts can do is a protocol of its own, an *ability*, and asked for
with ``isinstance``. `luban.testing` ships a conformance check for each. Each file holds what belongs to
one idea; all names are imported from here.
"""

from luban.core.protocols.detector import Detector
from luban.core.protocols.executing import DIED, Event, Executor, Job, Warming
from luban.core.protocols.explaining import Attributing, Explainable, WarmingUp
from luban.core.protocols.exporting import Exportable, Exporter, Graph
from luban.core.protocols.judging import Check, Metric
from luban.core.protocols.learner import Examples, Learner, Specialised, Suggestion, Suitable, Unsuitable
from luban.core.protocols.modality import Examining, Modality, Reporting
from luban.core.protocols.model import Model, TaskBound, Updatable
from luban.core.protocols.planning import Alternative, Comparing, Forecast, Plannable, Preflight
from luban.core.protocols.recounting import Preparing, Recounting
from luban.core.protocols.searching import Searcher
from luban.core.protocols.source import Source
from luban.core.protocols.wire import Wire

__all__ = [
    "DIED",
    "Alternative",
    "Attributing",
    "Check",
    "Comparing",
    "Detector",
    "Event",
    "Examining",
    "Examples",
    "Executor",
    "Explainable",
    "Exportable",
    "Exporter",
    "Forecast",
    "Graph",
    "Job",
    "Learner",
    "Metric",
    "Modality",
    "Model",
    "Plannable",
    "Preflight",
    "Preparing",
    "Recounting",
    "Reporting",
    "Searcher",
    "Source",
    "Specialised",
    "Suggestion",
    "Suitable",
    "TaskBound",
    "Unsuitable",
    "Updatable",
    "Warming",
    "WarmingUp",
    "Wire",
]
