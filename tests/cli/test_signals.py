import os
import signal
import subprocess
import sys
import textwrap

import pytest

from vdata.cli._signals import Stopped, stopping_in_order


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_is_an_exception_and_the_handlers_come_back(number, status):
    before = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)]
    with pytest.raises(Stopped) as caught, stopping_in_order():
        os.kill(os.getpid(), number)
    assert (caught.value.name, caught.value.exit_status) == (signal.Signals(number).name, status)
    assert [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)] == before


def test_what_ray_makes_of_it_is_told_apart_from_a_real_interrupt():
    def as_ray():
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        except Stopped:
            raise KeyboardInterrupt from None

    with pytest.raises(Stopped, match="SIGTERM"), stopping_in_order():
        as_ray()
    with pytest.raises(KeyboardInterrupt) as caught, stopping_in_order():
        raise KeyboardInterrupt
    assert type(caught.value) is KeyboardInterrupt


def test_a_second_signal_ends_the_process_at_once():
    program = """
        import os, signal
        from vdata.cli._signals import stopping_in_order
        with stopping_in_order():
            try:
                os.kill(os.getpid(), signal.SIGINT)
            finally:
                os.kill(os.getpid(), signal.SIGINT)
                print("not reached")
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (130, b"")
