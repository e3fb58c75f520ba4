"""optuna-dashboard on the studies of the project, for this machine alone."""

from __future__ import annotations

from pathlib import Path

from corespot.errors import TuneError
from corespot.tune.journal import open_storage


def serve(url: str | None, folder: Path, port: int) -> None:
    """Serve the dashboard on loopback until interrupted.

    Parameters
    ----------
    url : str or None
        Storage of the studies, see `open_storage`.
    folder : Path
        Folder of the studies.
    port : int
        Port on 127.0.0.1.

    Raises
    ------
    TuneError
        If there is no study yet, or the port is taken.
    """
    from optuna_dashboard import run_server

    storage = open_storage(url, folder)
    if not storage.get_all_studies():
        raise TuneError(
            "there is no study yet; set tune.trials in params.yaml and run `make run`, or run "
            "`corespot tune TASK MODEL`"
        )
    print(f"studies: http://127.0.0.1:{port}/dashboard   (Ctrl-C ends it)", flush=True)
    try:
        run_server(storage, host="127.0.0.1", port=port)
    except OSError as error:
        raise TuneError(
            f"port {port} cannot be opened ({error}); give another: PORT=8081"
        ) from None
