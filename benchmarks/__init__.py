"""What is claimed about speed, memory and looks, and the measurements."""

from impasto.memory import own_process

own_process()  # as the command line does
