"""What Python's strftime writes of moments where calendars have their edges, for src/text/date.rs.

    python dates.py    (Python 3.11, glibc 2.36)

Writes dates.json: a format, and by it the text of each moment, in seconds since 1970: the days around each new year of 28
years, in which every kind of year comes, the ends of Februaries, each hour of a day, and moments long ago.
"""

import datetime
import json
import pathlib

FORMAT = "%Y-%m-%d %H:%M:%S %a %j %G %g %V %U %W %u %w %I%p %l %C %y"
EPOCH = datetime.datetime(1970, 1, 1)
NEW_YEAR = [(1, 1), (1, 3), (12, 29), (12, 31)]
days = [datetime.datetime(year, month, day) for year in range(2000, 2028) for month, day in NEW_YEAR]
days += [datetime.datetime(year, 3, 1) - datetime.timedelta(seconds=1) for year in (1900, 1969, 2000, 2023, 2024, 2100)]
days += [datetime.datetime(2024, 3, 1, hour, 59, 7) for hour in range(24)]
seconds = [int((day - EPOCH).total_seconds()) for day in days]
cases = [[at, (EPOCH + datetime.timedelta(seconds=at)).strftime(FORMAT)] for at in seconds]
text = json.dumps({"format": FORMAT, "cases": cases}, indent=None).replace('"], [', '"],\n[')
(pathlib.Path(__file__).parent / "dates.json").write_text(text + "\n")
