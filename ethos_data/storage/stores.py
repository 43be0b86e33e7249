"""Object stores and HDFS, through the file systems of Apache Beam.

Use `ethos_data.storage.files`, which calls this module for paths such as
"s3://bucket/data". Beam is imported when a function is called.
"""

from __future__ import annotations

import contextlib
import copy
import errno
import importlib.util
import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, Final

from ethos_data.errors import EthosError, reason_of

ATOMIC_UPLOAD: Final = ("s3://", "gs://", "azfs://")
"""Stores in which a file appears only when its upload is complete. They have no
directories and no atomic rename."""

MAX_WAIT_SECONDS: Final = 8.0
"""Maximum time that a store may take to answer the first request of a process."""

_REQUIRED: Final = {
    "s3": ("boto3", "ethos-faces[aws]"),
    "gs": ("google.cloud.storage", "ethos-faces[gcp]"),
    "azfs": ("azure.storage.blob", "apache-beam[azure]"),
    "hdfs": ("hdfs", "apache-beam[hadoop]"),
}
"""For each scheme, the package that Beam needs and the argument of `pip install`."""

_LIBRARIES: Final = (
    *("apache_beam", "azure", "boto3", "botocore", "google", "hdfs"),
    *("requests", "urllib3"),
)
"""The packages whose exceptions mean that a request to a store has failed."""

_lock = threading.Lock()
_reachable: set[str] = set()  # scheme and bucket of stores that have answered
_s3_client: Any = None


def require(path: str) -> None:
    """Checks the scheme of a path, and that the packages for it are installed.

    Raises:
      EthosError: The scheme is unknown, or a package is missing.
    """
    scheme = path.split("://", 1)[0]
    if scheme not in _REQUIRED:
        known = ", ".join(f"{name}://" for name in ("file", *_REQUIRED))
        raise EthosError(f"{path}: unknown scheme {scheme}://; known are {known}")
    package, requirement = _REQUIRED[scheme]
    for name in ("apache_beam", package):
        if not _is_installed(name):
            raise EthosError(
                f"{path}: the package {name} is not installed: "
                f"pip install '{requirement}'"
            )


def _is_installed(package: str) -> bool:
    try:
        return importlib.util.find_spec(package) is not None
    except ModuleNotFoundError:  # a parent package is missing
        return False


def set_options(beam_args: list[str]) -> None:
    """Sets the options of Beam's file systems: endpoints, keys, regions.

    Args:
      beam_args: Flags of Beam, for example ["--s3_endpoint_url=http://127.0.0.1:9000"].
    """
    global _s3_client
    _s3_client = None
    _reachable.clear()
    beam_file_systems = _import_file_systems()
    from apache_beam.options.pipeline_options import PipelineOptions

    beam_file_systems.set_options(PipelineOptions(beam_args))


def check_reachable(path: str) -> None:
    """Sends a first request to the store of a path, once in each process.

    The clients of the stores repeat failed requests for minutes, and some wait without
    limit. This request has a limit, so that wrong credentials, a wrong endpoint or a
    missing network are reported soon.

    Raises:
      EthosError: The store does not answer within `MAX_WAIT_SECONDS`, or refuses the
        request.
    """
    scheme, rest = path.split("://", 1)
    store = f"{scheme}://{rest.split('/', 1)[0]}"
    with _lock:
        if store in _reachable:
            return
        try:
            # Importing the libraries takes seconds and does not count as waiting.
            (_s3 if scheme == "s3" else file_systems)()
            answered = _ends_in_time(lambda: _first_request(path))
        except Exception as error:
            reason = reason_of(_cause(error))
            raise EthosError(
                f"{path}: the store cannot be reached ({reason})"
            ) from error
        if not answered:
            raise EthosError(
                f"{path}: the store does not answer within {MAX_WAIT_SECONDS:g} s; "
                "check the network, the endpoint and the credentials"
            )
        _reachable.add(store)


def _ends_in_time(action: Callable[[], None]) -> bool:
    """Returns whether a function ends within `MAX_WAIT_SECONDS`. Passes its errors."""
    errors: list[Exception] = []

    def run() -> None:
        try:
            action()
        except Exception as error:
            errors.append(error)

    # A daemon thread does not delay the exit of the process if it never ends.
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(MAX_WAIT_SECONDS)
    if errors:
        raise errors[0]
    return not thread.is_alive()


def _first_request(path: str) -> None:
    if not path.startswith("s3://"):
        file_systems().exists(path)
        return
    from botocore.exceptions import ClientError

    bucket, _, key = path.removeprefix("s3://").partition("/")
    try:
        _s3().client.client.list_objects_v2(Bucket=bucket, Prefix=key, MaxKeys=1)
    except ClientError as error:
        # A missing bucket is reported like a missing directory, by the next request.
        if error.response["Error"]["Code"] != "NoSuchBucket":
            raise


@contextlib.contextmanager
def one_line_errors(path: str) -> Iterator[None]:
    """Converts failed requests in the block to an OSError with a reason of one line.

    Raises:
      FileNotFoundError: The file does not exist.
      OSError: Another request failed.
    """
    try:
        yield
    except (FileNotFoundError, EthosError):
        raise
    except Exception as error:
        if not type(error).__module__.startswith(_LIBRARIES):
            raise
        raise OSError(errno.EIO, reason_of(_cause(error)), path) from error


def _cause(error: Exception) -> Exception:
    """Returns the error of the store inside an error of Beam."""
    details = getattr(error, "exception_details", None)
    return next(iter(details.values())) if details else error


def open_file(path: str, mode: str) -> BinaryIO:
    """Opens a file without decompressing it. The mode is "rb" or "wb"."""
    kind = "application/octet-stream"
    if path.startswith("s3://"):
        return _s3().open(path, mode, mime_type=kind)
    from apache_beam.io.filesystem import CompressionTypes

    create = file_systems().open if mode == "rb" else file_systems().create
    return create(path, kind, CompressionTypes.UNCOMPRESSED)


def file_systems() -> Any:
    """Returns Beam's FileSystems class, with options."""
    beam_file_systems = _import_file_systems()
    if beam_file_systems._pipeline_options is None:  # the S3 client needs options
        from apache_beam.options.pipeline_options import PipelineOptions

        beam_file_systems.set_options(PipelineOptions([]))
    return beam_file_systems


def _import_file_systems() -> Any:
    # Beam warns that the packages of BigQuery are missing. They are not needed here.
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        from apache_beam.io.filesystems import FileSystems
    finally:
        logging.disable(disabled)
    return FileSystems


def _s3() -> Any:
    """Returns Beam's interface to S3 with a client that is created only once.

    Beam creates a client for each file, which takes 0.2 s, longer than reading the
    file. A copy of the client shares its connections but has its own position in the
    stream.
    """
    options = file_systems()._pipeline_options
    from apache_beam.io.aws import s3io
    from apache_beam.io.aws.clients.s3 import boto3_client

    global _s3_client
    if _s3_client is None:
        _s3_client = boto3_client.Client(options=options)
    return s3io.S3IO(client=copy.copy(_s3_client))
