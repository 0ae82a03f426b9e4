"""nbval's kernel, listened to with patience but not for ever."""

import time
from collections import deque
from queue import Empty
from typing import Any

from kernels import NEVER_READ, PATIENCE, LostReplyError
from nbval.kernel import RunningKernel  # type: ignore[import-untyped]

Message = dict[str, Any]


class PatientKernel(RunningKernel):
    """A kernel whose reply may be lost without holding up the tests.

    nbval waits for the reply to a cell, and reads what the cell shows afterwards. If the reply is
    lost it waits for more than half an hour. Here outputs are read meanwhile. When they are all
    there and the kernel is idle again, a reply that stays out is done without. A request that the
    kernel does not begin to work on is an error. How long a cell may take is left to nbval.

    Attributes:
        patience: Seconds before an answer that an idle kernel owes counts as lost.
        lost_replies: How many replies were done without.
    """

    patience = PATIENCE
    glance = 1.0  # seconds between two looks at the outputs while a reply is awaited

    def __init__(self, *arguments: Any, **options: Any) -> None:
        """Start the kernel as nbval does."""
        self.lost_replies = 0
        self._outputs: deque[Message] = deque()
        self._sources: dict[str, str] = {}
        super().__init__(*arguments, **options)
        self._keep_every_message()

    def now(self) -> float:
        """Return seconds of a clock that only goes forward."""
        return time.monotonic()

    def execute_cell_input(self, cell_input: str, allow_stdin: bool | None = None) -> str:
        """Send a cell; return the id of the request."""
        request: str = super().execute_cell_input(cell_input, allow_stdin=allow_stdin)
        self._sources = {request: cell_input}
        return request

    def get_message(self, stream: str, timeout: float | None = None) -> Message:
        """Return the next message, from those that were read ahead first."""
        if stream == "iopub" and self._outputs:
            return self._outputs.popleft()
        message: Message = super().get_message(stream, timeout=timeout)
        return message

    def await_reply(self, msg_id: str, timeout: float | None = None) -> None:
        """Wait for the reply to a request.

        Raises:
            queue.Empty: If the kernel works on it for longer than ``timeout`` seconds.
            LostReplyError: If an idle kernel has not read it after ``patience`` seconds.
            RuntimeError: If the kernel has died.
        """
        began = quiet_since = self.now()
        state = None
        while True:
            try:
                super().await_reply(msg_id, timeout=self.glance)
            except Empty:
                pass
            else:
                return
            if not self.is_alive():
                raise RuntimeError("the kernel died")
            now = self.now()
            said = self._read_ahead(msg_id)
            if said is not None:
                state, quiet_since = said, now
            silent = now - quiet_since > self.patience
            if silent and state == "idle":
                self.lost_replies += 1
                return
            if silent and state is None:
                raise LostReplyError(NEVER_READ, self.patience, self._sources.get(msg_id, ""))
            if state == "busy" and timeout is not None and now - began > timeout:
                raise Empty

    def _read_ahead(self, msg_id: str) -> str | None:
        """Set outputs that have come aside; return the last state named in answer to a request."""
        state = None
        while True:
            try:
                message = super().get_message("iopub", timeout=0)
            except Empty:
                return state
            self._outputs.append(message)
            if message["msg_type"] == "status" and message["parent_header"].get("msg_id") == msg_id:
                state = message["content"]["execution_state"]

    def _keep_every_message(self) -> None:
        """Connect to the outputs anew, without a limit to how many wait.

        They may wait for a second, and where the machine is busy for longer. ZeroMQ drops what
        comes when a thousand wait, and a training with progress bars sends thousands: what says
        that the cell has ended may be lost.
        """
        outputs = self.kc.iopub_channel.socket
        address = outputs.last_endpoint
        outputs.disconnect(address)
        outputs.rcvhwm = 0  # no limit; holds for connections made from now on
        outputs.connect(address)
        self._ensure_iopub_up()  # as after a start: wait until outputs arrive
