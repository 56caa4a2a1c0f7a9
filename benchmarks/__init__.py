
from impasto.memory import own_process

own_process()  # as the command line does
