"""A triage server that is killed loses no acknowledged answer; the benchmark does the same a hundred times."""

from benchmarks.triage_kills import killed_sessions

from alarmnet.loop.page.starting import Wanted

KILLS = 5


def test_no_acknowledged_answer_is_lost_or_stored_twice(triage_data: Wanted, place: str) -> None:
    found = killed_sessions(triage_data, place, KILLS)
    assert (found["lost"], found["twice"], found["in_part"]) == (0, 0, 0)
    assert found["sessions_with_answers"] >= 2
    assert found["acknowledged"] >= 10
