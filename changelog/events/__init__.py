"""Facts of the history: frozen classes without behaviour.

What one means never changes; a new meaning gets a new class.

Fields that name an index, project or release by ``int`` hold its incarnation: the serial of the
entry that made it. Times are microseconds since 1970, UTC. A ``commitment`` names a private record
(``changelog/records.py``).
"""
