"""Moving from devpi-server and back: the dumps of ``devpi-export``, read and written (``docs/operating``)."""
